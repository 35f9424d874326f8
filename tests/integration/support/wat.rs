//! Components written by hand, for exact sizes and errors that no compiler produces.

use std::path::PathBuf;

use tempfile::TempDir;

/// A component in a temporary file.
pub(crate) struct Component {
    directory: TempDir,
}

impl Component {
    /// Writes any bytes.
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("component.wasm"), bytes).unwrap();
        Self { directory }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::bytes(&wat::parse_str(text).unwrap())
    }

    /// Creates a `wasi:cli/run` command whose core module has these fields and whose function `run` has these
    /// instructions, which leave 0 for success and 1 for failure.
    pub(crate) fn command(fields: &str, run: &str) -> Self {
        Self::text(&format!(
            r#"(component
                (core module $m {fields} (func (export "run") (result i32) {run}))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $run)))"#
        ))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("component.wasm")
    }
}
