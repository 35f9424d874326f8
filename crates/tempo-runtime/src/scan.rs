//! Looks at a component's bytes before an engine exists: whether it is one, and what the engine must have for it.

use serde::{Deserialize, Serialize};
use tempo_core::{Error, ErrorKind};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// What a component asks of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// It uses the component model's async ABI, as every WASI 0.3 component does.
    pub concurrent: bool,
    /// Core instances in one component instance.
    pub core_instances: u32,
    /// Linear memories in one component instance.
    pub memories: u32,
    /// Tables in one component instance.
    pub tables: u32,
    /// What its largest linear memory holds from the start, in bytes.
    pub least_memory: u64,
}

impl Shape {
    /// Makes room for twice as much of everything.
    pub fn double(&mut self) {
        for count in [&mut self.core_instances, &mut self.memories, &mut self.tables] {
            *count = (*count).max(1).saturating_mul(2);
        }
    }
}

/// Validates `wasm` and reads its shape.
///
/// # Errors
///
/// The bytes are not a component, or not valid.
pub fn scan(wasm: &[u8]) -> Result<Shape, Error> {
    if Parser::is_core_wasm(wasm) {
        return Err(bad("this is a core module; make it a component (`wasm-tools component new`)".to_owned()));
    }
    let concurrent = validate(wasm, features() - WasmFeatures::CM_ASYNC).is_err();
    if concurrent {
        validate(wasm, features())?;
    }
    let mut shape = Shape { concurrent, core_instances: 0, memories: 0, tables: 0, least_memory: 0 };
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| invalid(&error))? {
            Payload::InstanceSection(section) => shape.core_instances += section.count(),
            Payload::MemorySection(section) => {
                shape.memories += section.count();
                for memory in section {
                    let memory = memory.map_err(|error| invalid(&error))?;
                    let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    shape.least_memory = shape.least_memory.max(memory.initial.saturating_mul(page));
                }
            }
            Payload::TableSection(section) => shape.tables += section.count(),
            _ => {}
        }
    }
    Ok(shape)
}

/// What wasmtime 48 accepts by default, so that this check never disagrees with the compilation that follows.
fn features() -> WasmFeatures {
    WasmFeatures::default()
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
}

fn validate(wasm: &[u8], features: WasmFeatures) -> Result<(), Error> {
    Validator::new_with_features(features).validate_all(wasm).map(drop).map_err(|error| invalid(&error))
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Error {
    // Beyond its first line and clause a message lists bytes.
    let message = error.message().lines().next().unwrap_or_default();
    let message = message.split(" - expected").next().unwrap_or_default();
    bad(format!("not valid WebAssembly at offset {:#x}: {message}", error.offset()))
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::BadComponent, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_text(text: &str) -> Result<Shape, Error> {
        scan(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn counts_what_the_pool_must_hold() {
        let shape = scan_text(
            "(component
                (core module $m (memory 2) (table 1 funcref))
                (core instance (instantiate $m))
                (core instance (instantiate $m)))",
        );
        let counts = Shape { concurrent: false, core_instances: 2, memories: 1, tables: 1, least_memory: 2 << 16 };
        assert_eq!(shape.unwrap(), counts);
    }

    #[test]
    fn an_async_type_needs_concurrency() {
        assert!(scan_text("(component (import \"f\" (func async)))").unwrap().concurrent);
        assert!(!scan_text("(component (import \"f\" (func)))").unwrap().concurrent);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = scan_text("(module)").unwrap_err().to_string();
        assert!(error.contains("core module") && error.contains("wasm-tools component new"), "{error}");
        let mut truncated = wat::parse_str("(component (core module (memory 1)))").unwrap();
        truncated.pop();
        let error = scan(&truncated).unwrap_err();
        assert!(error.to_string().starts_with("not valid WebAssembly at offset 0x"), "{error}");
        assert!(scan(b"").is_err());
        let error = scan(b"hello, world").unwrap_err().to_string();
        assert_eq!(error, "not valid WebAssembly at offset 0x0: magic header not detected: bad magic number");
    }
}
