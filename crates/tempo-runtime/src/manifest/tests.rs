//! Tests of manifests.

use std::path::Path;

use tempo_settings::ValueForm;

use super::*;

const ADDR: Flag = Flag::new("addr", "HOST:PORT", "").of_process();
const ROUTE: Flag = Flag::new("route", "ROUTE", "").repeatable();
const STORES: Flag = Flag::new("keyvalue", "[NAME=]URL", "").repeatable().form(ValueForm::NamedUrl);

fn parse_at(path: &str, text: &str) -> Result<(Values, Manifest), Error> {
    parse(text.as_bytes(), path, &[&ADDR, &ROUTE, &STORES])
}

fn problems(text: &str) -> Vec<String> {
    let error = parse_at("tempo.toml", text).unwrap_err().to_string();
    let mut lines: Vec<String> = error.lines().map(|line| line.trim().to_owned()).collect();
    if lines.len() > 1 {
        lines.remove(0);
    }
    lines
}

const SHOP: &str = r#"
name = "shop"
addr = "127.0.0.1:1"
keyvalue = "memory:"

[component.api]
source = "out/api.wasm"
route = ["/api/*", "/"]
keyvalue = ["file:api.redb"]

[component.pricing]
source = "/lib/pricing.wasm"
"#;

#[test]
fn flags_stand_at_the_top_or_under_a_component() {
    let (values, app) = parse_at("conf/shop.toml", SHOP).unwrap();
    let texts = |values: &Values, flag: &Flag| -> Vec<String> {
        values.get(flag.name).into_iter().flatten().map(|value| value.text.clone()).collect()
    };
    assert_eq!((texts(&values, &ADDR), texts(&values, &STORES)), (vec!["127.0.0.1:1".into()], vec!["memory:".into()]));
    assert_eq!(app.name, "shop");
    let [api, pricing] = &app.components[..] else { panic!("{app:?}") };
    assert_eq!((api.name.as_str(), api.source.as_path(), api.line), ("api", Path::new("conf/out/api.wasm"), 6));
    assert_eq!(texts(&api.values, &ROUTE), ["/api/*", "/"]);
    assert_eq!(texts(&api.values, &STORES), ["file:conf/api.redb"], "relative to the manifest");
    assert_eq!((pricing.source.as_path(), pricing.values.len()), (Path::new("/lib/pricing.wasm"), 0));
}

#[test]
fn all_mistakes_are_listed_with_line_and_fix() {
    let found = problems(
        "name = \"Shop\"\nadr = 1\n[component.api]\nrout = 1\naddr = \"a:1\"\n[component.\"b.c\"]\nsource = 7\n[component.d]\nsource = 7\n",
    );
    assert_eq!(
        found,
        [
            "name: expected 1 to 63 lower-case letters, digits and `-` between them (tempo.toml:1)",
            "adr: no such setting; `run --help` lists them (tempo.toml:2)",
            "component.api: source is missing; add source = \"FILE\" (tempo.toml:3)",
            "rout: no such setting; `run --help` lists them (tempo.toml:4)",
            "addr: all components share it; move it to the top of the file (tempo.toml:5)",
            "component: expected 1 to 63 lower-case letters, digits and `-` between them as the name of a component (tempo.toml:6)",
            "component.d.source: expected the path of a file (tempo.toml:9)",
        ]
    );
}

#[test]
fn a_component_with_a_mistake_is_still_declared() {
    let found = problems(
        "name = \"app\"\n[component.a]\nsource = \"a\"\nimports = { \"acme:b/c\" = \"b\", \"acme:d/e\" = \"d\" }\n[component.b]\n",
    );
    assert_eq!(
        found,
        [
            "component.a.imports: there is no component `d`; the app has a, b (tempo.toml:4)",
            "component.b: source is missing; add source = \"FILE\" (tempo.toml:5)",
        ]
    );
}

#[test]
fn an_app_has_a_name_and_components() {
    let missing = problems("addr = \"a:1\"\n");
    assert!(missing[0].contains("name: the name of the app is missing"), "{missing:?}");
    assert!(missing[1].contains("declares no component; add [component.NAME]"), "{missing:?}");
    for text in ["component = 1", "[component]", "component.api = 1"] {
        let found = problems(&format!("name = \"a\"\n{text}\n"));
        assert!(found.len() == 1 && found[0].starts_with("component"), "{found:?}");
    }
}

#[test]
fn names_are_labels_of_host_names() {
    for (name, valid) in [
        ("a", true),
        ("a-1", true),
        (&*"a".repeat(63), true),
        (&*"a".repeat(64), false),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("a.b", false),
        ("A", false),
        ("\u{e9}", false),
    ] {
        assert_eq!(is_name(name), valid, "{name}");
    }
}
