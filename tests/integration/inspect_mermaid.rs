//! `tempo inspect --mermaid`: the flowchart of an app or a component, and the one in the README.

use std::path::{Path, PathBuf};

use crate::apps::manifest;
use crate::apps_composed::composed;
use crate::support::{Finished, Run, guest, key};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the edges of a flowchart, with the labels of its nodes.
fn edges(chart: &str) -> Vec<String> {
    let lines = chart.lines().map(str::trim).filter(|line| line.contains(" -") || line.contains(" ="));
    let edge = |line: &str| {
        let (from, rest) = line.split_once(' ').unwrap();
        let (arrow, to) = rest.rsplit_once(' ').unwrap();
        format!("{} {arrow} {}", node(chart, from), node(chart, to))
    };
    lines.map(edge).collect()
}

/// Returns the label of a node.
fn node(chart: &str, name: &str) -> String {
    let declares = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['[', '(', '{']));
    let line = chart.lines().map(str::trim).find(declares).unwrap_or_else(|| panic!("no {name} in {chart}"));
    line.split('"').nth(1).unwrap().to_owned()
}

fn app_inspect(text: &str, arguments: &[&str]) -> Finished {
    let run = Run::tempo(["inspect"]).args(arguments.iter().copied()).env("TEMPO_KEY_FILE", key());
    run.with_file("tempo.toml", text).finish()
}

#[test]
fn the_picture_in_the_readme_is_that_of_the_shop() {
    let drawn = Run::tempo(["inspect", "--mermaid"]).within(&repository().join("guests/shop")).finish();
    let (path, expected) = (repository().join("README.md"), drawn.succeeded());
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once("```mermaid\n").expect("the README has a picture");
    let (picture, after) = rest.split_once("```").unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, format!("{before}```mermaid\n{expected}```{after}")).unwrap();
        return;
    }
    assert_eq!(picture, expected, "UPDATE_EXPECT=1 writes it");
}

#[test]
fn calls_stores_and_grants_are_drawn() {
    let text = manifest(
        "keyvalue = \"memory:\"\nmessaging = \"b=memory:x\"",
        &[
            ("front", "hello", "route = \"/*\"\nmiddleware = [\"auth\"]\nallow-http = [\"https://u.test/s3cret\"]"),
            ("auth", "auth", "allow-http = [\"http://store.tempo.internal\"]"),
            ("store", "keyvalue", "keyvalue = { a = \"file:one\", b = \"file:one\" }"),
            ("shop", "checkout", "route = \"/q\"\nimports = { \"acme:pricing/quote\" = \"pricing\" }"),
            ("pricing", "pricing", ""),
        ],
    );
    let drawn = app_inspect(&text, &["--mermaid"]);
    let chart = drawn.succeeded();
    assert!(chart.starts_with("flowchart LR\n") && !chart.contains("s3cret"), "{chart}");
    let found = edges(chart);
    for edge in [
        "route /#42; --> auth",
        "auth -->|\"next\"| front",
        "auth -->|\"http://store.tempo.internal\"| store",
        "route /q --> shop",
        "shop -.->|\"acme:pricing/quote\"| pricing",
        "store ---|\"a\"| keyvalue file:one",
        "store ---|\"b\"| keyvalue file:one",
        "store --- keyvalue memory:",
    ] {
        assert!(found.iter().any(|found| found == edge), "no {edge} in {found:#?}");
    }
    let others: Vec<_> = found.iter().filter(|edge| edge.starts_with("front")).collect();
    assert!(others.len() == 1 && others[0].starts_with("front --- allow-http https://u.test"), "{others:?}");
    assert!(!chart.contains("messaging"), "no component uses it: {chart}");
}

/// A component that is only composed has the stores and grants of its caller.
#[test]
fn composed_links_are_drawn_thick() {
    let text = composed("\"keyvalue\"", "").replacen('\n', "\nkeyvalue = \"memory:\"\nenv = { A = \"1\" }\n", 1);
    let drawn = app_inspect(&text, &["--mermaid"]);
    let found = edges(drawn.succeeded());
    for edge in
        ["route /#42; --> shop", "shop ==>|\"acme:basket/basket\"| basket", "shop ==>|\"acme:basket/attempts\"| basket"]
    {
        assert!(found.iter().any(|found| found == edge), "no {edge} in {found:#?}");
    }
    assert!(!found.iter().any(|edge| edge.starts_with("basket")), "{found:#?}");
}

#[test]
fn a_component_alone_is_drawn() {
    let draw = |name: &str, arguments: &[&str]| {
        let run = Run::tempo(["inspect".into(), guest(name).into_os_string(), "--mermaid".into()]);
        edges(run.args(arguments.iter().copied()).finish().succeeded())
    };
    assert_eq!(draw("hello", &[]), ["HttpServer --> hello"]);
    assert_eq!(draw("hello", &["--route", "/a"]), ["route /a --> hello"]);
    assert_eq!(draw("keyvalue", &["--data", "d"]), ["HttpServer --> keyvalue", "keyvalue --- keyvalue in d"]);
    let one_of_two = Run::tempo(["inspect", "a.wasm", "--mermaid", "--json"]).finish();
    one_of_two.failed_in_one_line(64, &["cannot be used with"]);
}

#[test]
fn mistakes_of_an_app_follow_its_picture() {
    let ended =
        app_inspect(&manifest("", &[("a", "hello", "route = \"/\""), ("b", "hello", "route = \"/\"")]), &["--mermaid"]);
    assert!(ended.stdout.starts_with("flowchart LR\n") && ended.code == Some(78), "{ended:?}");
}
