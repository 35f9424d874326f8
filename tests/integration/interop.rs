//! Components of other languages and toolchains, as `cargo xtask interop` builds them: served unchanged, with the
//! default limits.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::apps::app;
use crate::support::guest::target;
use crate::support::nats::Nats;
use crate::support::{Client, Response, Run, Server, get, guest};

/// The components in `target/interop`, with the language in their responses. `cargo xtask interop` skips one only if it
/// cannot install the tools, and reports that.
const COMPONENTS: &[(&str, &str)] = &[
    ("c", "C"),
    ("javascript", "JavaScript"),
    ("python-p2", "Python 0.2"),
    ("python-p3", "Python 0.3"),
    ("spin-6", "Rust with spin-sdk 6"),
    ("spin-7", "Rust with spin-sdk 7"),
];

/// Components that store values over keyvalue; the one in JavaScript stores objects over blobstore too.
const STORAGE: &[&str] = &[JAVASCRIPT_STORAGE, PYTHON_STORAGE];
const JAVASCRIPT_STORAGE: &str = "javascript-storage";
const PYTHON_STORAGE: &str = "python-storage";

/// Middleware with Spin's SDK, which stands before the handler of the same SDK.
const MIDDLEWARE: &str = "spin-middleware";
const HANDLER: &str = "spin-7";

/// Guests in Rust without any Tempo crate.
const RUST: &[(&str, &str)] = &[("rust-wstd", "Rust with wstd"), ("rust-wasip3", "Rust with wasip3")];

fn is_served(name: &str, component: &Path, language: &str) {
    let server = Run::file(component).serve();
    // The instance of the first request may serve the second.
    for path in ["/", "/a/path"] {
        let response = get(server.address, path);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert_eq!(response.text(), format!("hello from {language}: {path}"), "{name}");
    }
}

/// Returns the path of the component, if it was built.
fn built(name: &str) -> Option<PathBuf> {
    let component = target().join("interop").join(format!("{name}.wasm"));
    if component.exists() {
        return Some(component);
    }
    eprintln!("SKIPPED {name}: `cargo xtask interop` has not built it");
    None
}

#[test]
fn other_languages_are_served() {
    for (name, language) in COMPONENTS {
        if let Some(component) = built(name) {
            is_served(name, &component, language);
        }
    }
}

#[test]
fn everything_that_was_built_is_tested() {
    let Ok(entries) = std::fs::read_dir(target().join("interop")) else { return };
    let files = entries.map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")) {
        let name = file.file_stem().unwrap().to_string_lossy();
        let mut known = COMPONENTS.iter().map(|(known, _)| known).chain(STORAGE).chain([&MIDDLEWARE]);
        assert!(known.any(|known| *known == name), "no test serves target/interop/{name}.wasm");
    }
}

/// An app of Spin's components needs a manifest, and no change of them.
#[test]
fn middleware_and_chaining_of_spin_are_linked() {
    let (Some(middleware), Some(handler)) = (built(MIDDLEWARE), built(HANDLER)) else { return };
    let text = format!(
        "name = \"spin\"\n[component.{HANDLER}]\nsource = \"{}\"\nroute = \"/*\"\nmiddleware = [\"{MIDDLEWARE}\"]\n\
         [component.{MIDDLEWARE}]\nsource = \"{}\"\nallow-http = \"http://{HANDLER}.spin.internal\"\n",
        handler.display(),
        middleware.display()
    );
    let server = app(&text).serve();
    for (path, seen) in [("/a/path", "/a/path"), ("/chained/a/path", "/a/path")] {
        let response = get(server.address, path);
        assert_eq!(response.text(), format!("hello from Rust with spin-sdk 7: {seen}"));
        assert_eq!(response.header("via"), Some("1.1 spin"));
    }
}

#[test]
fn plain_rust_is_served() {
    for (name, language) in RUST {
        is_served(name, &guest(name), language);
    }
}

/// The queries that select a store: one on each backend. An interpreter takes long to compile, so one server has them
/// all.
const STORES: &[&str] = &["", "?store=file", "?store=nats"];

/// A component with a store on each backend.
struct Stores {
    server: Server,
    _directory: TempDir,
    _nats: Nats,
}

impl Stores {
    fn serve(component: &Path) -> Self {
        let (directory, nats) = (TempDir::new().unwrap(), Nats::start());
        let mut run = Run::file(component);
        for (flag, file) in [("--keyvalue", "values.redb"), ("--blobstore", "objects")] {
            let file = format!("file=file:{}", directory.path().join(file).display());
            run = run.args([flag, "memory:", flag, &file, flag, &format!("nats={}", nats.url("interop"))]);
        }
        Self { server: run.serve(), _directory: directory, _nats: nats }
    }
}

fn answer(response: &Response) -> (u16, String) {
    (response.status, response.text())
}

/// Returns every byte value.
fn every_byte(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

fn keeps_values(component: &Path, no_such_store: &str) {
    let stores = Stores::serve(component);
    let mut client = Client::connect(stores.server.address);
    for store in STORES {
        let at = |path: &str| format!("{path}{store}");
        for count in ["1", "2"] {
            assert_eq!(answer(&client.post(&at("/counters/hits"), "")), (200, count.into()), "{store}");
        }
        assert_eq!(client.get(&at("/values/a%2F%C3%A4")).status, 404, "{store}");
        assert_eq!(client.put(&at("/values/a%2F%C3%A4"), "one").status, 204, "{store}");
        assert_eq!(answer(&client.get(&at("/values/a%2F%C3%A4"))), (200, "one".into()), "{store}");
        assert_eq!(answer(&client.post(&at("/swaps/a%2F%C3%A4"), " two")), (200, "one two".into()), "{store}");
        assert_eq!(answer(&client.post(&at("/races/a%2F%C3%A4"), "!")), (200, "!!".into()), "{store}");
        assert_eq!(answer(&client.get(&at("/values/a%2F%C3%A4"))), (200, "!!".into()), "{store}");
        assert_eq!(answer(&client.post(&at("/swaps/new"), "x")), (200, "x".into()), "{store}");
        assert_eq!(client.put(&at("/values/bytes"), every_byte(1000)).status, 204, "{store}");
        assert_eq!(client.get(&at("/values/bytes")).body, every_byte(1000), "{store}");
        assert_eq!(answer(&client.get(&at("/values"))), (200, "a/\u{e4}\nbytes\nhits\nnew\n".into()), "{store}");
        assert_eq!(client.delete(&at("/values/bytes")).status, 204, "{store}");
        assert_eq!(client.get(&at("/values/bytes")).status, 404, "{store}");
    }
    let response = client.get("/values/hits?store=nowhere");
    assert_eq!(answer(&response), (500, no_such_store.into()));
    assert_eq!(client.get("/values/hits?store=default").text(), "2", "no name is the default");
}

#[test]
fn javascript_keeps_values() {
    if let Some(component) = built(JAVASCRIPT_STORAGE) {
        keeps_values(&component, r#"{"tag":"no-such-store"}"#);
    }
}

#[test]
fn python_keeps_values() {
    if let Some(component) = built(PYTHON_STORAGE) {
        keeps_values(&component, "Error_NoSuchStore");
    }
}

#[test]
fn javascript_keeps_objects() {
    let Some(component) = built(JAVASCRIPT_STORAGE) else { return };
    let stores = Stores::serve(&component);
    let mut client = Client::connect(stores.server.address);
    for store in STORES {
        let at = |path: &str| format!("{path}{store}");
        // Several chunks, the last of them short.
        for (object, length) in [("/objects/a%2Fb", 100_000), ("/objects/empty", 0)] {
            assert_eq!(client.get(&at(object)).status, 404, "{store}");
            assert_eq!(client.put(&at(object), every_byte(length)).status, 204, "{store}");
            let response = client.get(&at(object));
            assert_eq!(response.status, 200, "{store}");
            assert!(response.body == every_byte(length), "{store}: {length} bytes came back as others");
        }
        assert_eq!(answer(&client.get(&at("/objects"))), (200, "a/b\nempty\n".into()), "{store}");
        assert_eq!(client.delete(&at("/objects/a%2Fb")).status, 204, "{store}");
        assert_eq!(client.get(&at("/objects/a%2Fb")).status, 404, "{store}");
        assert_eq!(answer(&client.get(&at("/objects"))), (200, "empty\n".into()), "{store}");
    }
}
