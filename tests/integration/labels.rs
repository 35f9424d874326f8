//! Imports under labels: each label is the name of a store, which the settings map to a URL.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use wit_component::ComponentEncoder;

use crate::apps::app;
use crate::support::nats::Nats;
use crate::support::{Client, Finished, Run, Server, get, guest};

const STORES: [&str; 4] = ["cache", "settings", "sessions", "counters"];
const CONTAINERS: [&str; 2] = ["photos", "archive"];
const CLIENTS: [&str; 3] = ["billing", "audit", "mail"];

/// The guest, which is built as a core module.
pub(crate) static COMPONENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let module = std::fs::read(guest("test_labels")).unwrap();
    let component = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("labels.{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("labels.wasm");
    std::fs::write(&path, component).unwrap();
    path
});

/// Returns the flags of all labels but `without`: `url` gets a label with its number.
fn flags(without: &str, url: impl Fn(&str, usize) -> String) -> Vec<String> {
    let labels = STORES.map(|label| ("keyvalue", label)).into_iter();
    let labels = labels.chain(CONTAINERS.map(|label| ("blobstore", label)));
    let labels = labels.chain(CLIENTS.map(|label| ("messaging", label)));
    let stores = labels.enumerate().filter(|(_, (_, label))| *label != without);
    let stores = stores.map(|(number, (flag, label))| format!("--{flag}={label}={}", url(label, number)));
    let topics = CLIENTS.into_iter().filter(|label| *label != without);
    stores.chain(topics.map(|label| format!("--allow-topic={label}={label}.*"))).collect()
}

fn memory(_: &str, number: usize) -> String {
    format!("memory:{}MiB", number + 1)
}

fn serve(flags: Vec<String>) -> Server {
    Run::file(&COMPONENT).args(flags).serve()
}

/// Writes and reads through each label, and checks that no other label has the same data.
fn check(server: &Server) {
    let mut client = Client::connect(server.address);
    for label in [&STORES[..], &CONTAINERS].concat() {
        let path = format!("/{label}/key");
        assert_eq!(client.get(&path).status, 404, "{label}");
        let written = client.post(&path, label);
        assert_eq!((written.status, written.text()), (200, String::new()), "{label}");
    }
    for label in [&STORES[..], &CONTAINERS].concat() {
        let value = if label == "counters" { "1" } else { label };
        let read = client.get(&format!("/{label}/key"));
        assert_eq!((read.status, read.text().as_str()), (200, value), "{label}");
    }
    for store in STORES {
        let value = if store == "counters" { "1" } else { store };
        assert_eq!(client.get(&format!("/named/{store}/key")).text(), value, "without a label");
    }
    let unknown = client.get("/named/default/key");
    assert_eq!((unknown.status, unknown.text().as_str()), (403, "Error::NoSuchStore"));
    for label in CLIENTS {
        for topic in CLIENTS {
            let sent = client.post(&format!("/{label}/{topic}.x"), "message");
            assert_eq!(sent.status == 200, label == topic, "{label} on {topic}: {}", sent.text());
            let asked = client.get(&format!("/{label}/{topic}.x")).text();
            let denied = ["AccessDenied", "not allowed"].iter().any(|text| asked.contains(text));
            assert!(!asked.is_empty() && denied == (label != topic), "{label} asks on {topic}: {asked}");
        }
    }
    assert_eq!(client.post("/photos/", "").status, 200);
    assert_eq!(client.get("/photos/key").status, 404);
    assert_eq!(client.post("/photos/key", "photos").status, 200);
}

#[test]
fn labels_are_stores_in_memory() {
    check(&serve(flags("", memory)));
}

#[test]
fn labels_are_stores_in_files() {
    let directory = TempDir::new().unwrap();
    let url = |name: &str, _: usize| format!("file:{}", directory.path().join(name).display());
    check(&serve(flags("", url)));
    // The settings decide which store has the name.
    let swapped = |label: &str, number| match label {
        "cache" => url("sessions", number),
        "sessions" => url("cache", number),
        "photos" => url("archive", number),
        "archive" => url("photos", number),
        label => url(label, number),
    };
    let server = serve(flags("", swapped));
    for (label, value) in [("cache", "sessions"), ("sessions", "cache"), ("photos", "archive"), ("archive", "photos")] {
        assert_eq!(get(server.address, &format!("/{label}/key")).text(), value);
    }
}

#[test]
fn labels_are_stores_on_nats() {
    let nats = Nats::start();
    let url = |name: &str| if CLIENTS.contains(&name) { format!("nats://{}", nats.address) } else { nats.url(name) };
    check(&serve(flags("", |name, _| url(name))));
}

#[test]
fn a_label_without_a_store_is_an_error() {
    let start = |without: &str| Run::file(&COMPONENT).args(flags(without, memory)).finish();
    for (label, interface, flag) in [
        ("cache", "wasi:keyvalue/store@0.2.0-draft", "keyvalue"),
        ("counters", "wasmcloud:keyvalue/store@0.2.0", "keyvalue"),
        ("archive", "tempo:blobstore/store@0.1.0", "blobstore"),
        ("billing", "wasmcloud:messaging/consumer@0.2.0", "messaging"),
    ] {
        let problem = format!(
            "the component imports {interface} as `{label}`, but no store has this name: set --{flag} {label}=URL"
        );
        start(label).failed_in_one_line(78, &[&problem]);
    }
    let all = Run::file(&COMPONENT).finish();
    all.failed(78, &["labels has 9 problems:"]);
    for label in [&STORES[..], &CONTAINERS, &CLIENTS].concat() {
        let problem = format!(" as `{label}`, but no store has this name: set --");
        assert!(all.stderr.contains(&problem), "no `{problem}` in {all:?}");
    }
}

fn inspect(path: &Path, arguments: &[&str]) -> Finished {
    Run::new("tempo").args(["inspect".as_ref(), path.as_os_str()]).args(arguments).finish()
}

#[test]
fn labels_are_shown() {
    let ended = inspect(&COMPONENT, &[]);
    let line = |start: &str| ended.succeeded().lines().find(|line| line.trim_start().starts_with(start)).unwrap();
    assert!(line("cache: wasi:keyvalue/store@0.2.0-draft ").ends_with("WasiKeyValue"), "{ended:?}");
    assert!(line("audit: wasmcloud:messaging/consumer@0.3.0 ").ends_with("WasiMessaging"), "{ended:?}");
    let ended = inspect(&COMPONENT, &["--json"]);
    let report: Value = serde_json::from_str(ended.succeeded()).unwrap();
    let import =
        |name: &str| report["imports"].as_array().unwrap().iter().find(|import| import["name"] == name).cloned();
    let photos = import("photos").unwrap();
    assert_eq!(photos["implements"], "wasi:blobstore/blobstore@0.2.0-draft");
    assert_eq!(photos["satisfied_by"], "WasiBlobstore");
    assert!(import("wasi:keyvalue/store@0.2.0-draft").unwrap().get("implements").is_none());
}

#[test]
fn other_interfaces_have_no_labels() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("labels.wasm");
    let import = |label: &str, interface: &str| {
        let func = r#"(export "f" (func))"#;
        let text = format!(r#"(component (import "{label}" (implements "{interface}") (instance {func})))"#);
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        inspect(&path, &[]).succeeded().to_owned()
    };
    for (interface, problem) in [
        ("wasi:logging/logging@0.1.0-draft", "import it without the label; a label is the name of a store, and this"),
        ("wasi:cli/environment@0.2.6", "import it without the label; a label is the name of a store, and this"),
        (
            "wasi:keyvalue/batch@0.2.0-draft",
            "import it without the label; a label is the name of a store, for wasi:keyvalue/store",
        ),
        ("wasi:messaging/producer@0.2.0-draft", "a label is the name of a store, for tempo:messaging/producer"),
        ("wasi:keyvalue/store@0.3.0", "another version; this runtime has wasi:keyvalue@0.2.0-draft"),
        ("wasi:keyvalue/store@0.2.0-draft2", "the interface differs from the published one"),
        ("acme:time/clock@1.0.0", "no service of Tempo offers acme:time; import it without the label"),
    ] {
        let text = import("mine", interface);
        let line = text.lines().find(|line| line.contains(&format!("mine: {interface}"))).unwrap();
        assert!(line.contains("MISSING: ") && line.contains(problem), "{line}");
    }
}

/// An app whose component `caller` is composed with `dependency`, which opens `cache`. The caller responds 200 if it could.
fn composed(inherit: &str, directory: &Path) -> String {
    let wasm = |name: &str, text: &str| {
        let path = directory.join(format!("{name}.wasm"));
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        path.display().to_string()
    };
    let caller = wasm("caller", include_str!("../wat/label-caller.wat"));
    let dependency = wasm("dependency", include_str!("../wat/label-dependency.wat"));
    let link = format!("{{ component = \"dependency\", link = \"composed\", inherit = [{inherit}] }}");
    format!(
        "name = \"app\"\n[component.caller]\nsource = \"{caller}\"\nroute = \"/*\"\n\
         imports = {{ \"acme:labels/checks\" = {link} }}\nkeyvalue = [\"cache=memory:\"]\n\
         [component.dependency]\nsource = \"{dependency}\"\n"
    )
}

/// Both components have the label. They are of WASI 0.2.
#[test]
fn a_composed_component_has_the_labels_of_both() {
    let directory = TempDir::new().unwrap();
    for (inherit, status) in [("\"keyvalue\"", 200), ("", 500)] {
        let text = composed(inherit, directory.path());
        let server = app(&text).serve();
        assert_eq!(get(server.address, "/").status, status, "{inherit}");
        let without = text.replace("cache=", "other=");
        app(&without).finish().failed(
            78,
            &["component.", "(tempo.toml:", "wasi:keyvalue/store@0.2.0-draft as `cache`, but no store has this name"],
        );
    }
}

/// A component that imports the store `import` besides HTTP.
fn importing(import: &str) -> Vec<u8> {
    let import = format!("(component (import {import} (instance (export \"bucket\" (type (sub resource)))))\n");
    wat::parse_str(include_str!("../wat/exn-http.wat").replacen("(component\n", &import, 1)).unwrap()
}

#[test]
fn a_reload_checks_the_labels_of_the_new_version() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("component.wasm");
    std::fs::write(&path, importing(r#""wasi:keyvalue/store@0.2.0-draft""#)).unwrap();
    let server = Run::file(&path).args(["--keyvalue", "cache=memory:"]).serve();
    for (label, line) in [
        ("sessions", "wasi:keyvalue/store@0.2.0-draft as `sessions`, but no store has this name"),
        ("cache", "reloaded (SIGHUP)"),
    ] {
        let next = importing(&format!(r#""{label}" (implements "wasi:keyvalue/store@0.2.0-draft")"#));
        std::fs::write(&path, next).unwrap();
        server.signal(Signal::HUP);
        server.log.wait_for(line);
        assert_eq!(get(server.address, "/").status, 200);
    }
}
