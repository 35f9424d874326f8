//! Mistakes of an app that only all of its components together show.

use crate::apps::{app, manifest};

/// Runs an app with these components, which does not start. All of `parts` are in the error.
#[track_caller]
fn fails(components: &[(&str, &str, &str)], parts: &[&str]) {
    app(&manifest("", components)).finish().failed(78, parts);
}

#[test]
fn a_component_that_only_an_unreachable_one_calls_is_unreachable() {
    let grant = "allow-http = [\"http://c.tempo.internal\"]";
    fails(
        &[("a", "hello", "route = \"/*\""), ("b", "hello", grant), ("c", "hello", "")],
        &[
            "b: no trigger and no other component calls it (tempo.toml:",
            "c: only b can call it, which no trigger reaches (tempo.toml:",
        ],
    );
    fails(
        &[
            ("a", "hello", "route = \"/*\""),
            ("shop", "checkout", "imports = { \"acme:pricing/quote\" = \"pricing\" }"),
            ("pricing", "pricing", ""),
        ],
        &["shop: no trigger", "pricing: only shop can call it, which no trigger reaches"],
    );
}

#[test]
fn components_with_one_consumer_or_data_folder_are_refused() {
    let shared = "messaging = \"file:m.redb\"\nconsumer = \"mine\"\nsubscribe = \"a\"";
    fails(
        &[("a", "orders", shared), ("b", "orders", shared)],
        &["subscribe: the consumer mine is that of a, so each message would reach only one of the two"],
    );
    fails(
        &[("a", "keyvalue", "route = \"/a\"\ndata = \"d\""), ("b", "keyvalue", "route = \"/b\"\ndata = \"d/e\"")],
        &["data: the data folder of b lies in that of a; choose another, or share stores by their URL (tempo.toml:"],
    );
}

#[test]
fn mistakes_of_files_routes_and_grants_are_listed_together() {
    let text = manifest(
        "",
        &[
            ("a", "hello", "route = [\"/a/../b\", \"x.tempo.internal/*\"]"),
            ("b", "hello", "route = \"/b\"\nallow-socket = \"a b\"\nsubscribe = \"a\"\nmax-memory = 0"),
        ],
    );
    let text = format!("{text}[component.c]\nsource = \"absent.wasm\"\n");
    let ended = app(&text).finish();
    for part in [
        "max-memory: expected a size",
        "component.c (tempo.toml:",
        "cannot read absent.wasm",
        "route: expected [HOST]/PATH",
        "allow-socket: ",
    ] {
        assert!(ended.stderr.contains(part), "no `{part}` in {ended:?}");
    }
    assert_eq!(ended.stderr.matches("route: expected [HOST]/PATH").count(), 2, "{ended:?}");
}
