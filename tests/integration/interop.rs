//! Components of other languages and toolchains, as `cargo xtask interop` builds them: served unchanged.

use std::path::PathBuf;

use crate::support::guest::target;
use crate::support::{Run, get};

/// Every component that has been built, by the name of its file.
fn components() -> Vec<(String, PathBuf)> {
    let directory = target().join("interop");
    let Ok(entries) = std::fs::read_dir(&directory) else {
        eprintln!("SKIPPED: {} does not exist; `cargo xtask interop` builds it", directory.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut components: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    components.sort();
    components
}

#[test]
fn each_is_served_and_answers() {
    for (name, path) in components() {
        // Interpreters compiled to WebAssembly need more stack and time than what compilers make.
        let server = Run::file(&path).args(["--max-wasm-stack", "1MiB", "--cpu-timeout", "10s"]).serve();
        for _ in 0..3 {
            let response = get(server.address, "/");
            assert_eq!(response.status, 200, "{name}: {}", response.text());
            assert!(!response.body.is_empty(), "{name}");
        }
        println!("{name}: served");
    }
}
