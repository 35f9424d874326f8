//! Components of an app that are composed into one, and the grants that the composed ones inherit.

use std::path::Path;

use crate::apps::app;
use crate::support::{Finished, Run, Server, compiled, get, guest, key};

/// An app in which `basket-shop` is composed with `basket`, with `inherit` and `lines` in the declaration of the caller.
pub(crate) fn composed(inherit: &str, lines: &str) -> String {
    let link = format!("{{ component = \"basket\", link = \"composed\", inherit = [{inherit}] }}");
    let imports = format!("{{ \"acme:basket/basket\" = {link}, \"acme:basket/attempts\" = {link} }}");
    format!(
        "name = \"app\"\n[component.shop]\nsource = \"{}\"\nroute = \"/*\"\nimports = {imports}\n{lines}\n\
         [component.basket]\nsource = \"{}\"\n",
        guest("basket-shop").display(),
        guest("basket").display()
    )
}

fn answer(server: &Server, target: &str) -> (u16, String) {
    let response = get(server.address, target);
    (response.status, response.text())
}

#[test]
fn resources_and_streams_cross() {
    let server = app(&composed("", "")).serve();
    assert_eq!(answer(&server, "/lines?tea=2&coffee=1"), (200, "2 tea\n1 coffee\n".to_owned()));
    assert_eq!(answer(&server, "/pieces?tea=2&coffee=1"), (200, "6".to_owned()));
}

/// The attempts of the dependency, with the flag that grants each.
const ATTEMPTS: [(&str, &str); 6] = [
    ("allow-http", "http?http://hello.tempo.internal/"),
    ("keyvalue", "keyvalue?default"),
    ("dir", "file?/data/file"),
    ("env", "env?NAME"),
    ("allow-socket", "socket?"),
    ("allow-socket", "resolve?localhost"),
];

#[test]
fn a_dependency_has_the_inherited_grants_only() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let grants = format!(
        "allow-http = \"http://hello.tempo.internal\"\nkeyvalue = \"memory:\"\ndir = \"{}::/data\"\n\
         env = {{ NAME = \"value\" }}\nallow-socket = \"localhost:80\"\n\
         allow-socket-address = [\"127.0.0.0/8\", \"::1/128\"]",
        folder.path().display()
    );
    for inherit in ["", "env", "keyvalue", "dir", "allow-socket", "allow-http"] {
        let quoted = if inherit.is_empty() { String::new() } else { format!("\"{inherit}\"") };
        let text = composed(&quoted, &grants);
        let server = app(&format!("{text}[component.hello]\nsource = \"{}\"\n", guest("hello").display())).serve();
        for (flag, attempt) in ATTEMPTS {
            let (status, text) = answer(&server, &format!("/attempt/{attempt}"));
            let expected = if flag == inherit { 200 } else { 403 };
            assert_eq!(status, expected, "{attempt} with `{inherit}`: {text}");
        }
    }
}

#[test]
fn a_denial_is_the_error_of_its_interface() {
    let server = app(&composed("", "keyvalue = \"memory:\"")).serve();
    for (attempt, expected) in [
        ("http?http://hello.tempo.internal/", "HTTP-request-denied"),
        ("keyvalue?default", "denied"),
        ("socket?", "AccessDenied"),
        ("env?NAME", "environment variable not found"),
    ] {
        let (_, text) = answer(&server, &format!("/attempt/{attempt}"));
        assert!(text.contains(expected), "{attempt}: {text}");
    }
}

/// A denied call drops the request that it is given: the guest's task would wait for it.
#[test]
fn a_denied_call_holds_no_permit() {
    let server =
        app(&composed("", "max-requests = 1\nqueue-timeout = \"4s\"\nafter-response-timeout = \"1m\"")).serve();
    for _ in 0..3 {
        let (status, text) = answer(&server, "/attempt/http?http://hello.tempo.internal/");
        assert_eq!(status, 403, "{text}");
    }
}

#[test]
fn a_component_may_be_both_composed_and_isolated() {
    let link = "{ component = \"pricing\", link = \"composed\" }";
    let (checkout, pricing) = (guest("checkout"), guest("pricing"));
    let server = app(&format!(
        "name = \"app\"\n[component.a]\nsource = \"{0}\"\nroute = \"/a/*\"\nimports = {{ \"acme:pricing/quote\" = {link} }}\n\
         [component.b]\nsource = \"{0}\"\nroute = \"/*\"\nimports = {{ \"acme:pricing/quote\" = {{ component = \"pricing\", link = \
         \"isolated\" }} }}\n[component.pricing]\nsource = \"{1}\"\n",
        checkout.display(),
        pricing.display()
    ))
    .serve();
    for target in ["/a/?tea=2&coffee=1", "/b?tea=2&coffee=1"] {
        assert_eq!(answer(&server, target), (200, "2 tea: 700\n1 coffee: 420\n".to_owned()), "{target}");
    }
}

fn failed(text: &str) -> Finished {
    app(text).finish()
}

#[test]
fn links_that_cannot_be_composed_are_errors_at_start() {
    for (link, expected) in [
        ("link = \"composed\", inherit = [\"allow-htp\"]", "inherit: `allow-htp` is not a flag that grants something"),
        ("link = \"composed\", inherit = [\"route\"]", "inherit: `route` is not a flag that grants something"),
        ("link = \"composed\", inherit = \"env\"", "inherit: expected a list of flags (tempo.toml:5)"),
        ("inherit = [\"env\"]", "inherit: an isolated link inherits nothing; add link = \"composed\""),
    ] {
        let text = composed("", "").replacen("link = \"composed\", inherit = []", link, 1);
        failed(&text).failed(78, &[expected, "(tempo.toml:5)"]);
    }
    let refused = failed(&composed("\"route\"", ""));
    let problem = refused.stderr.lines().nth(1).unwrap();
    assert_eq!(problem.matches(" messaging").count(), 1, "{problem}");
    let differ = composed("", "").replacen("inherit = []", "inherit = [\"env\"]", 1);
    failed(&differ).failed(78, &["the composed links to `basket` differ"]);
    let settings = format!("{}max-memory = \"1MiB\"\n", composed("", ""));
    failed(&settings).failed(78, &["component.basket", "only composed into others", "max-memory"]);
    let absent = composed("", "").replace("acme:basket/attempts", "acme:pricing/quote");
    failed(&absent).failed(65, &["component.shop", "it does not import `acme:pricing/quote`; remove the line"]);
    let other =
        composed("", "").replace(&guest("basket").display().to_string(), &guest("pricing").display().to_string());
    failed(&other).failed(65, &["`basket` does not export `acme:basket/"]);
    let precompiled = composed("", "").replace(&guest("basket").display().to_string(), &path(&compiled("basket")));
    failed(&precompiled).failed(65, &["is precompiled, and components are composed before they are compiled"]);
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Resources cannot cross an isolated link.
#[test]
fn an_isolated_link_has_the_advice_to_compose() {
    let text = composed("", "").replace(", link = \"composed\", inherit = []", "");
    let expected = "`basket` has a resource, which cannot leave its component; give link = \"composed\"";
    failed(&text).failed(65, &[expected]);
    let inspected = Run::tempo(["inspect"]).env("TEMPO_KEY_FILE", key()).with_file("tempo.toml", &text).finish();
    assert!(inspected.code == Some(65) && inspected.stderr.contains(expected), "{inspected:?}");
    assert!(inspected.stdout.contains("app app"), "{inspected:?}");
}

#[test]
fn inspect_shows_how_components_are_linked() {
    let inspect = Run::tempo(["inspect"]).env("TEMPO_KEY_FILE", key()).with_file("tempo.toml", composed("\"env\"", ""));
    let finished = inspect.finish();
    let shown = finished.succeeded();
    assert!(shown.contains("the component basket, composed, inherits env"), "{shown}");
}

#[test]
fn compose_writes_one_component() {
    let folder = tempfile::TempDir::new().unwrap();
    let one = folder.path().join("one.wasm");
    let compose = |arguments: &[&str]| {
        Run::tempo(["compose", "tempo.toml", "--output"])
            .args([one.display().to_string().as_str()])
            .args(arguments.iter().copied())
            .env("TEMPO_KEY_FILE", key())
            .with_file("tempo.toml", composed("\"env\"", "env = { NAME = \"secret\" }"))
            .finish()
    };
    compose(&["--component", "basket"]).failed(64, &["`basket` is none of: shop"]);
    assert!(!one.exists());
    let finished = compose(&[]);
    finished.succeeded();
    let server = Run::file(&one).args(["--env", "NAME=value", "--allow-socket", "localhost:80"]).serve();
    assert_eq!(answer(&server, "/pieces?tea=2"), (200, "4".to_owned()));
    assert_eq!(answer(&server, "/attempt/env?NAME"), (200, "value".to_owned()));
    assert_eq!(answer(&server, "/attempt/socket").0, 403);
}

#[test]
fn compose_needs_a_manifest() {
    let file = guest("hello").display().to_string();
    let ended = Run::tempo(["compose", &file, "--output", "one.wasm"]).finish();
    ended.failed_in_one_line(
        64,
        &["hello.wasm: no manifest: compose needs that of an app (.toml); declare the component"],
    );
}

/// The sources of an app are never the output.
#[test]
fn compose_does_not_replace_a_source() {
    for output in ["tempo.toml", "shop.wasm"] {
        let text = composed("", "").replace(&guest("basket-shop").display().to_string(), "shop.wasm");
        let run = Run::tempo(["compose", "tempo.toml", "--output", output]).with_file("tempo.toml", &text);
        let run = run.with_file("shop.wasm", std::fs::read(guest("basket-shop")).unwrap());
        run.finish().failed(73, &["cannot write", "it is the source itself"]);
    }
}
