//! Validates a component before the engine exists, and determines its requirements on the engine.

use serde::{Deserialize, Serialize};
use tempo_settings::{Error, ErrorKind};
use wasmparser::{ComponentExportSectionReader, ComponentImportSectionReader, MemorySectionReader};
use wasmparser::{Parser, Payload, TableSectionReader};
use wasmparser::{Validator, WasmFeatures};

use crate::interfaces::{Import, is_compatible};

/// A component's requirements on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Whether it needs concurrency support: it uses the component model's async ABI, or imports a package that is linked only
    /// with concurrency support, such as those of WASI 0.3.
    pub concurrent: bool,
    /// Whether it needs a GC heap: it uses exceptions, structs, arrays or references to them.
    #[serde(default)]
    pub gc_heap: bool,
    /// Core instances in one component instance.
    pub core_instances: u32,
    /// Linear memories in one component instance.
    pub memories: u32,
    /// Tables in one component instance.
    pub tables: u32,
    /// Initial size of its largest linear memory, in bytes.
    pub least_memory: u64,
    /// Initial size of its largest table, in elements.
    #[serde(default)]
    pub least_table: u64,
    /// The names of its exports, which decide whether it serves or runs once, and with that the number of instances. Empty if
    /// they are too long for the header of a precompiled file.
    #[serde(default)]
    pub exports: Vec<String>,
    /// Its imports. The header of a precompiled file has none.
    #[serde(skip)]
    pub(crate) imports: Vec<Import>,
}

/// Maximum length of the names in [`Shape::exports`] as JSON, in bytes.
const MAX_EXPORTS_BYTES: usize = 2048;

impl Shape {
    /// Doubles the counts of instances, memories and tables.
    pub(crate) fn double(&mut self) {
        for count in [&mut self.core_instances, &mut self.memories, &mut self.tables] {
            *count = (*count).max(1).saturating_mul(2);
        }
    }
}

/// Validates `wasm` and returns its shape. `concurrent_packages` are those that are linked only with concurrency support.
///
/// # Errors
///
/// The bytes are not a component, or not valid.
pub(crate) fn scan(wasm: &[u8], concurrent_packages: &[&str]) -> Result<Shape, Error> {
    if Parser::is_core_wasm(wasm) {
        return Err(bad("this is a core module; make it a component (`wasm-tools component new`)".to_owned()));
    }
    let (concurrent, gc_heap) = needs(wasm)?;
    let mut shape = Shape { concurrent, gc_heap, ..Shape::default() };
    // Components and modules are nested; only the imports of the outermost component are the host's.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| invalid(&error))? {
            Payload::Version { .. } => depth = depth.saturating_add(1),
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                shape.add_imports(section, concurrent_packages)?;
            }
            Payload::ComponentExportSection(section) if depth == 1 => shape.add_exports(section)?,
            Payload::InstanceSection(section) => shape.core_instances += section.count(),
            Payload::MemorySection(section) => shape.count_memories(section)?,
            Payload::TableSection(section) => shape.count_tables(section)?,
            _ => {}
        }
    }
    if !fits_header(&shape.exports) {
        shape.exports.clear();
    }
    Ok(shape)
}

/// Returns whether `exports` fit into the header of a precompiled file.
fn fits_header(exports: &[String]) -> bool {
    // The names are encoded as JSON without escapes, each with two quotes and a comma.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    exports.iter().all(|name| name.bytes().all(is_plain))
        && exports.iter().map(|name| name.len().saturating_add(3)).sum::<usize>() <= MAX_EXPORTS_BYTES
}

/// Validates `wasm`, and returns whether it needs concurrency support and whether it needs a GC heap. Validation without a
/// required feature fails early, so most components are validated completely only once.
fn needs(wasm: &[u8]) -> Result<(bool, bool), Error> {
    const OBJECTS: WasmFeatures = WasmFeatures::GC.union(WasmFeatures::GC_TYPES).union(WasmFeatures::EXCEPTIONS);
    let valid_without = |without: WasmFeatures| validate(wasm, features() - without).is_ok();
    if valid_without(WasmFeatures::CM_ASYNC | OBJECTS) {
        return Ok((false, false));
    }
    let needs = (!valid_without(WasmFeatures::CM_ASYNC), !valid_without(OBJECTS));
    if needs == (true, true) {
        validate(wasm, features())?;
    }
    Ok(needs)
}

impl Shape {
    fn add_imports(
        &mut self,
        section: ComponentImportSectionReader<'_>,
        concurrent_packages: &[&str],
    ) -> Result<(), Error> {
        for import in section {
            let name = import.map_err(|error| invalid(&error))?.name;
            let import = Import::new(name.name, name.implements);
            self.concurrent |= concurrent_packages.iter().any(|package| is_compatible(import.interface(), package));
            self.imports.push(import);
        }
        Ok(())
    }

    fn add_exports(&mut self, section: ComponentExportSectionReader<'_>) -> Result<(), Error> {
        for export in section {
            self.exports.push(export.map_err(|error| invalid(&error))?.name.name.to_owned());
        }
        Ok(())
    }

    fn count_memories(&mut self, section: MemorySectionReader<'_>) -> Result<(), Error> {
        self.memories = self.memories.saturating_add(section.count());
        for memory in section {
            let memory = memory.map_err(|error| invalid(&error))?;
            let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
            self.least_memory = self.least_memory.max(memory.initial.saturating_mul(page));
        }
        Ok(())
    }

    fn count_tables(&mut self, section: TableSectionReader<'_>) -> Result<(), Error> {
        self.tables = self.tables.saturating_add(section.count());
        for table in section {
            self.least_table = self.least_table.max(table.map_err(|error| invalid(&error))?.ty.initial);
        }
        Ok(())
    }
}

/// Returns the default features of wasmtime 48 and those that the engine enables, so that this validation agrees with the compilation that follows.
fn features() -> WasmFeatures {
    WasmFeatures::default()
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_IMPLEMENTS
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
}

fn validate(wasm: &[u8], features: WasmFeatures) -> Result<(), Error> {
    Validator::new_with_features(features).validate_all(wasm).map(drop).map_err(|error| invalid(&error))
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Error {
    // After its first line and clause, a message lists bytes.
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
        scan(&wat::parse_str(text).unwrap(), &["wasi:clocks@0.3.0"])
    }

    #[test]
    fn instances_memories_and_tables_are_counted() {
        let shape = scan_text(
            "(component
                (core module $m (memory 2) (table 1 funcref))
                (core instance (instantiate $m))
                (core instance (instantiate $m)))",
        );
        let counts = Shape {
            concurrent: false,
            gc_heap: false,
            core_instances: 2,
            memories: 1,
            tables: 1,
            least_memory: 2 << 16,
            least_table: 1,
            exports: Vec::new(),
            imports: Vec::new(),
        };
        assert_eq!(shape.unwrap(), counts);
    }

    #[test]
    fn exports_are_those_of_the_outermost_component_up_to_a_length() {
        let exports = |text: &str| scan_text(&format!("(component (component $inner) {text})")).unwrap().exports;
        let of_name = |name: &str| format!(r#"(export "{name}" (component $inner))"#);
        let text = format!("(component {}) {} {}", of_name("deep"), of_name("a"), of_name("b"));
        assert_eq!(exports(&text), ["a", "b"]);
        for (length, kept) in [(MAX_EXPORTS_BYTES - 3, 1), (MAX_EXPORTS_BYTES - 2, 0)] {
            assert_eq!(exports(&of_name(&"a".repeat(length))).len(), kept, "{length}");
        }
        assert!(!fits_header(&["\"".into()]) && !fits_header(&["\\".into()]) && !fits_header(&["\u{1}".into()]));
    }

    #[test]
    fn an_async_type_needs_concurrency() {
        assert!(scan_text("(component (import \"f\" (func async)))").unwrap().concurrent);
        assert!(!scan_text("(component (import \"f\" (func)))").unwrap().concurrent);
    }

    #[test]
    fn an_import_of_a_concurrent_package_needs_concurrency() {
        let importing = |name: &str| scan_text(&format!("(component (import \"{name}\" (instance)))")).unwrap();
        assert!(importing("wasi:clocks/monotonic-clock@0.3.0").concurrent);
        assert!(importing("wasi:clocks/monotonic-clock@0.3.1").concurrent);
        assert!(!importing("wasi:clocks/monotonic-clock@0.2.0").concurrent);
        let labelled = "(component (import \"clock\" (implements \"wasi:clocks/monotonic-clock@0.3.0\") (instance)))";
        assert!(scan_text(labelled).unwrap().concurrent);
        // The outer component satisfies the imports of an inner one.
        let inside = "(component (component (import \"wasi:clocks/monotonic-clock@0.3.0\" (instance))))";
        assert!(!scan_text(inside).unwrap().concurrent);
    }

    #[test]
    fn objects_and_exceptions_need_a_gc_heap() {
        let with = |fields: &str| scan_text(&format!("(component (core module {fields}))")).unwrap();
        for fields in [
            "(tag $e)",
            "(type $s (struct (field i32)))",
            "(table 1 externref)",
            "(func (block $h (try_table (catch_all $h))))",
        ] {
            assert!(with(fields).gc_heap, "{fields}");
        }
        assert!(!with("(table 1 funcref) (memory 1)").gc_heap);
        let both = "(component (import \"f\" (func async)) (core module (tag $e)))";
        let shape = scan_text(both).unwrap();
        assert!(shape.concurrent && shape.gc_heap);
    }

    #[test]
    fn errors_name_the_problem() {
        let error = scan_text("(module)").unwrap_err().to_string();
        assert!(error.contains("core module") && error.contains("wasm-tools component new"), "{error}");
        let mut truncated = wat::parse_str("(component (core module (memory 1)))").unwrap();
        truncated.pop();
        let error = scan(&truncated, &[]).unwrap_err();
        assert!(error.to_string().starts_with("not valid WebAssembly at offset 0x"), "{error}");
        assert!(scan(b"", &[]).is_err());
        let error = scan(b"hello, world", &[]).unwrap_err().to_string();
        assert_eq!(error, "not valid WebAssembly at offset 0x0: magic header not detected: bad magic number");
    }
}
