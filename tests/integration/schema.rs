//! `tempo schema`: the JSON Schema of settings files and manifests.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use expect_test::expect_file;
use serde_json::Value;

use crate::support::Run;

/// The compiled schema of `tempo`.
static SCHEMA: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| compile(&schema("tempo")));

/// Compiles a schema, which is checked by that of its draft.
fn compile(schema: &str) -> (Schemas, SchemaIndex) {
    const URL: &str = "http://localhost/tempo.schema.json";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(URL, serde_json::from_str(schema).unwrap()).unwrap();
    let index = compiler.compile(URL, &mut schemas).unwrap();
    (schemas, index)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn schema(runtime: &str) -> String {
    Run::new(runtime).args(["schema"]).finish().succeeded().to_owned()
}

/// Returns what the schema finds wrong with a file of settings.
fn problem(text: &str) -> Option<String> {
    let value: Value = toml::from_str(text).unwrap();
    let (schemas, index) = &*SCHEMA;
    schemas.validate(&value, *index).err().map(|error| error.to_string())
}

#[test]
fn the_published_schema_is_that_of_the_program() {
    expect_file![repository().join("runtimes/tempo/tempo.schema.json")].assert_eq(&schema("tempo"));
}

#[test]
fn a_schema_is_valid_and_has_the_flags_of_its_runtime() {
    for (runtime, flag) in [("tempo", "subscribe"), ("tempo-http", "route"), ("tempo-worker", "subscribe")] {
        let schema = schema(runtime);
        compile(&schema);
        let schema: Value = serde_json::from_str(&schema).unwrap();
        assert!(schema["properties"][flag].is_object(), "{runtime}");
    }
    let schema: Value = serde_json::from_str(&schema("tempo-http")).unwrap();
    assert!(schema["properties"]["subscribe"].is_null(), "tempo-http has no messages");
    let component = &schema["definitions"]["component"]["properties"];
    assert!(component["route"].is_object() && component["addr"].is_null(), "one listener for all components");
}

#[test]
fn the_manifests_of_the_repository_are_valid() {
    let guests = std::fs::read_dir(repository().join("guests")).unwrap();
    let files = guests.map(|entry| entry.unwrap().path().join("tempo.toml")).filter(|file| file.exists());
    let files: Vec<PathBuf> = files.collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(problem(&std::fs::read_to_string(&file).unwrap()), None, "{}", file.display());
    }
}

#[test]
fn the_manifests_of_templates_are_valid() {
    for template in ["http", "worker", "middleware", "app", "command", "javascript", "python", "c"] {
        let folder = tempfile::TempDir::new().unwrap();
        Run::tempo(["new", "it", "--template", template]).within(folder.path()).finish().succeeded();
        let manifest = folder.path().join("it/tempo.toml");
        if manifest.exists() {
            assert_eq!(problem(&std::fs::read_to_string(manifest).unwrap()), None, "{template}");
        }
    }
}

/// `tempo run` of a component with handlers of requests and messages, beside this file.
fn orders(text: &str) -> Run {
    Run::guest("orders").with_file("tempo.toml", text)
}

#[test]
fn every_form_of_a_value_is_valid_for_both() {
    for text in [
        "max-requests = 5\nmax-memory = \"64 MiB\"\nmax-body = 1000\nrequest-timeout = \"1m 30s\"\nshutdown-delay = \"0s\"",
        "allow-own-files = true\nallocation = \"pooling\"\nlog-format = \"json\"\nmax-tables = \"7\"",
        "keyvalue = \"memory:\"\nmessaging = [\"memory:\", \"b=file:x.redb\"]\n[blobstore]\na = \"memory:\"",
        "env = [\"A=1\", \"B=\"]\n[config]\nPORT = 80\nON = true\nTEXT = \"x\"",
        "subscribe = [\"a;ordered\", { topic = \"b\", max-in-flight = 8, ordered = true }]",
        "messaging = \"b=memory:\"\n[[subscribe]]\nname = \"b\"\ntopic = [\"x\", \"y\"]\nbackoff = [\"1s\", \"5s\"]\nack-wait = \"30s\"",
        "[subscribe]\ntopic = \"x\"\nbackoff = \"1s/5s\"",
    ] {
        assert_eq!(problem(text), None, "{text}");
        drop(orders(text).serve());
    }
}

#[test]
fn a_wrong_type_or_key_is_refused_by_both() {
    for text in [
        "adr = \"127.0.0.1:1\"",
        "addr = [\"127.0.0.1:1\"]",
        "addr = { host = \"127.0.0.1\" }",
        "max-memory = \"much\"",
        "max-memory = 0",
        "max-requests = \"few\"",
        "max-requests = -1",
        "max-requests = [1]",
        "request-timeout = 30",
        "request-timeout = \"30\"",
        "request-timeout = \"soon\"",
        "allow-own-files = \"maybe\"",
        "allocation = \"huge\"",
        "env = \"A\"",
        "env = [[\"A=1\"]]",
        "[env]\nA = 1.5",
        "[keyvalue]\na = [\"memory:\"]",
        "settings = \"other.toml\"",
        "key-file = \"mine.key\"",
        "[[subscribe]]\nordered = true",
        "[[subscribe]]\ntopic = \"x\"\nordred = true",
        "[[subscribe]]\ntopic = \"x\"\nmax-in-flight = \"many\"",
    ] {
        assert!(problem(text).is_some(), "the schema accepts {text}");
        let ended = orders(text).finish();
        assert!(matches!(ended.code, Some(64..79)), "{text}: {ended:?}");
    }
}
