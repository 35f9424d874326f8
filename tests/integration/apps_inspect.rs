//! `inspect` of an app reports what keeps `run` from serving it, with the same words and exit code, without contacting anything.

use crate::apps::{app, manifest};
use crate::labels::COMPONENT;
use crate::support::{Finished, Run, get, key};

/// `tempo inspect`, without a file, in a folder with this manifest.
fn inspect(text: &str) -> Run {
    Run::tempo(["inspect"]).env("TEMPO_KEY_FILE", key()).with_file("tempo.toml", text)
}

/// Returns the error without the warnings before it.
fn error(ended: &Finished) -> &str {
    ended.stderr.split_once("error: ").unwrap_or_else(|| panic!("no error in {ended:?}")).1
}

/// Checks that `run` and `inspect` end with `code` and the same error, which has all `parts`.
#[track_caller]
fn both_fail(text: &str, files: &[(&str, &str)], code: i32, parts: &[&str]) {
    let with_files = |run: Run| files.iter().fold(run, |run, (name, text)| run.with_file(name, text)).finish();
    let (run, inspect) = (with_files(app(text)), with_files(inspect(text)));
    for part in parts {
        assert!(error(&run).contains(part), "no `{part}` in {run:?}");
    }
    assert_eq!((run.code, error(&run)), (inspect.code, error(&inspect)));
    assert_eq!(run.code, Some(code), "{run:?}");
}

fn one(guest: &str, lines: &str) -> String {
    manifest("", &[("a", guest, &format!("route = \"/*\"\n{lines}"))])
}

#[test]
fn a_mistake_in_a_setting_is_found_without_a_server() {
    both_fail(
        &one("hello", "allow-http = [5]"),
        &[],
        78,
        &["allow-http: value 1: expected a URL such as https://api.example.com", "(tempo.toml:6)"],
    );
    both_fail(&one("hello", "dir = \"absent::/d\""), &[], 66, &["--dir: absent is not a directory"]);
    both_fail(
        &one("orders", "allow-topic = \"other=a\""),
        &[],
        78,
        &["allow-topic: no broker of that name is configured; give it with --messaging NAME=URL (tempo.toml:6)"],
    );
    both_fail(
        &one("orders", "subscribe = \"other=a\""),
        &[],
        78,
        &["subscribe: no broker of that name is configured; give it with --messaging NAME=URL (tempo.toml:6)"],
    );
    let broken = [("c.toml", "a = 1\nb = nonsense\n")];
    both_fail(
        &one("config-only", "config-file = \"c.toml\""),
        &broken,
        78,
        &["component.a (tempo.toml:3): configuration file c.toml:2:5: not valid TOML"],
    );
    both_fail(&one("keyvalue", "keyvalue = \"file:a?size=1\""), &[], 78, &["unknown option `size`"]);
    both_fail(&one("keyvalue", "keyvalue = \"*=memory:\""), &[], 78, &["`*` is no name of a store", "(tempo.toml:6)"]);
    let unread = manifest("tls-cert = \"a.pem\"\ntls-key = \"b.pem\"", &[("a", "hello", "route = \"/*\"")]);
    both_fail(&unread, &[], 66, &["a.pem"]);
}

#[test]
fn middleware_that_passes_nothing_on_is_found() {
    let text = manifest("", &[("a", "hello", "route = \"/*\"\nmiddleware = [\"b\"]"), ("b", "hello-p2", "")]);
    both_fail(
        &text,
        &[],
        65,
        &["b: it is middleware of another component, and does not import wasi:http/handler@0.3.0"],
    );
    let next = "name it in the `middleware` of another component of an app";
    both_fail(
        &manifest("", &[("a", "auth", "route = \"/*\"")]),
        &[],
        65,
        &["a: it imports wasi:http/handler@0.3.", next],
    );
    let twice = manifest("", &[("a", "hello", "route = \"/*\"\nmiddleware = [\"b\", \"b\"]"), ("b", "auth", "")]);
    let problem = "middleware: b is named twice, and would get each request twice; remove one (tempo.toml:6)";
    both_fail(&twice, &[], 78, &[problem]);
}

#[test]
fn all_mistakes_of_a_component_are_listed_at_once() {
    let labelled = |lines: &str| {
        let source = COMPONENT.display();
        format!("name = \"app\"\n[component.a]\nsource = \"{source}\"\nroute = \"/*\"\n{lines}")
    };
    let lines = "keyvalue = { cache = \"memory:\", other = \"nope:\" }\nmax-memory = 0\nallow-http = [5, \"x\"]\n\
                 dir = [\"absent::/d\", \"absent-too::/e\"]\nallow-topic = \"a..b\"\n";
    let label = |label: &str| format!(" as `{label}`, but no store has this name: set --");
    let labels = ["settings", "sessions", "counters", "photos", "archive", "billing", "audit", "mail"].map(label);
    let others = [
        "keyvalue: this runtime has no backend for nope:; it has ",
        "max-memory: expected a size, such as 64KiB or 128MiB (tempo.toml:6)",
        "allow-http: value 1: expected",
        "allow-http: value 2: expected",
        "--dir: absent is not a directory",
        "--dir: absent-too is not a directory",
        "allow-topic: this is no topic: a word between dots is empty (tempo.toml:9)",
    ];
    let all: Vec<&str> = labels.iter().map(String::as_str).chain(others).chain(["app has 15 problems:"]).collect();
    both_fail(&labelled(lines), &[], 78, &all);
    both_fail(&labelled("keyvalue = { cache = \"memory:\" }"), &[], 78, &["app has 8 problems:"]);
    // One mistake at the top is listed once.
    let top = manifest("allow-http = [5]", &[("a", "hello", "route = \"/a\""), ("b", "hello", "route = \"/b\"")]);
    both_fail(&top, &[], 78, &["allow-http: value 1: expected"]);
    assert!(!error(&app(&top).finish()).contains("problems"), "{:?}", app(&top).finish());
}

#[test]
fn an_error_that_follows_from_another_is_not_listed() {
    let misspelt = manifest("", &[("a", "hello", "route = \"/*\"\nmiddleware = [\"auht\"]"), ("auth", "auth", "")]);
    let scheme =
        "route = \"/*\"\nallow-http = [\"https://stock.tempo.internal\", \"http://stock.tempo.internal:8080\"]";
    let scheme = manifest("", &[("a", "hello", scheme), ("stock", "hello", "")]);
    for (text, problem) in [
        (misspelt, "middleware: the app has no component auht; declare it"),
        (scheme, "allow-http: expected http://NAME.tempo.internal, without a port, for a component of the app"),
    ] {
        both_fail(&text, &[], 78, &[problem]);
        let ended = app(&text).finish();
        assert!(!ended.stderr.contains("no trigger and no other component"), "{ended:?}");
    }
}

#[test]
fn a_setting_without_effect_is_a_warning_and_a_bad_value_an_error() {
    let warning = "component.a (tempo.toml:3): without effect, as the component has no import or export that uses it: \
                   keyvalue, subscribe";
    let text = one("hello", "keyvalue = \"memory:\"\nsubscribe = \"a\"\nmax-memory = \"64MiB\"");
    let server = app(&text).serve();
    server.log.wait_for(warning);
    assert_eq!(get(server.address, "/").status, 200);
    let ended = inspect(&text).finish();
    assert!(ended.code == Some(0) && ended.stderr.contains(warning), "{ended:?}");
    for (lines, problem) in [
        ("blobstore = \"nope:\"", "blobstore: this runtime has no backend for nope:; it has "),
        ("subscribe = \"a..b\"", "subscribe: this is no topic: a word between dots is empty"),
        ("config-file = \"a.yaml\"", "config-file: expected a file name that ends in .toml or .json"),
        ("max-key-size = \"1KiB\"", "max-key-size: a key has at most 512 bytes on any backend"),
    ] {
        both_fail(&one("hello", lines), &[], 78, &[problem]);
    }
}

#[test]
fn inspect_contacts_and_creates_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("tempo.toml"),
        manifest(
            "",
            &[
                ("a", "keyvalue", "route = \"/a\"\nkeyvalue = \"nats://127.0.0.1:1/a\""),
                ("b", "keyvalue", "route = \"/b\""),
                ("c", "orders", "subscribe = \"a\"\nmessaging = \"file:data/c.redb\""),
            ],
        ),
    )
    .unwrap();
    Run::tempo(["inspect"]).env("TEMPO_KEY_FILE", key()).within(folder.path()).finish().succeeded();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["tempo.toml"]);
}

/// A value at the top of the manifest may be complete for the component that uses it, and for no other.
#[test]
fn a_setting_of_another_component_is_no_mistake() {
    for (top, of_orders) in [
        ("allow-topic = [\"b=orders.>\"]", "messaging = [\"b=memory:\", \"memory:\"]"),
        (
            "nats-user = \"u\"\nkeyvalue = \"nats://127.0.0.1:9/x\"",
            "nats-password = \"p\"\nmessaging = \"memory:\"\nkeyvalue = \"memory:\"",
        ),
    ] {
        let components =
            [("h", "hello", "route = \"/*\""), ("o", "orders", &format!("route = \"/orders\"\n{of_orders}"))];
        let text = manifest(top, &components);
        let inspected = inspect(&text).finish();
        assert_eq!(inspected.code, Some(0), "{top}: {inspected:?}");
        let server = app(&text).serve();
        assert_eq!(get(server.address, "/").status, 200, "{top}");
    }
}
