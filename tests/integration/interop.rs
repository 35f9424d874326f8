//! Components of other languages and toolchains, as `cargo xtask interop` builds them: served unchanged, at the default limits.

use std::path::Path;

use crate::support::guest::target;
use crate::support::{Run, get, guest};

/// What is built into `target/interop`, and the language that it says it is written in. `cargo xtask interop` leaves one out
/// only where it cannot install the tools, and says so.
const COMPONENTS: &[(&str, &str)] =
    &[("c", "C"), ("javascript", "JavaScript"), ("python-p2", "Python 0.2"), ("python-p3", "Python 0.3")];

/// Guests in Rust without anything of Tempo in them.
const RUST: &[(&str, &str)] = &[("rust-wstd", "Rust with wstd"), ("rust-wasip3", "Rust with wasip3")];

fn is_served(name: &str, component: &Path, language: &str) {
    let server = Run::file(component).serve();
    // The second one may be answered by the instance that answered the first.
    for path in ["/", "/a/path"] {
        let response = get(server.address, path);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert_eq!(response.text(), format!("hello from {language}: {path}"), "{name}");
    }
}

#[test]
fn other_languages_are_served() {
    for (name, language) in COMPONENTS {
        let component = target().join("interop").join(format!("{name}.wasm"));
        if component.exists() {
            is_served(name, &component, language);
        } else {
            eprintln!("SKIPPED {name}: `cargo xtask interop` has not built it");
        }
    }
}

#[test]
fn everything_that_was_built_is_tested() {
    let Ok(entries) = std::fs::read_dir(target().join("interop")) else { return };
    let files = entries.map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")) {
        let name = file.file_stem().unwrap().to_string_lossy();
        assert!(COMPONENTS.iter().any(|(known, _)| *known == name), "no test serves target/interop/{name}.wasm");
    }
}

#[test]
fn plain_rust_is_served() {
    for (name, language) in RUST {
        is_served(name, &guest(name), language);
    }
}
