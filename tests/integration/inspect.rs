//! `tempo inspect`: a component's imports, and the services that satisfy them.

use serde_json::Value;

use crate::support::{Finished, Run, guest};

fn inspect(runtime: &str, name: &str, arguments: &[&str]) -> Finished {
    Run::new(runtime).args(["inspect".into(), guest(name).into_os_string()]).args(arguments).finish()
}

fn json(name: &str) -> Value {
    serde_json::from_str(inspect("tempo", name, &["--json"]).succeeded()).unwrap()
}

/// Returns the services, without WASI, that satisfy the component's imports.
fn services(name: &str) -> Vec<String> {
    let report = json(name);
    let imports = report["imports"].as_array().unwrap();
    let mut services: Vec<String> = imports
        .iter()
        .filter_map(|import| import["satisfied_by"].as_str())
        .filter(|service| *service != "WASI")
        .map(str::to_owned)
        .collect();
    services.dedup();
    services
}

#[test]
fn exactly_what_is_imported_is_shown() {
    assert_eq!(services("hello"), ["WasiHttp"]);
    assert_eq!(services("hello-p2"), ["WasiHttp"]);
    let config = services("config-only");
    assert!(config.contains(&"WasiConfig".to_owned()) && !config.contains(&"WasiLogging".to_owned()), "{config:?}");
    assert!(services("hostile").contains(&"WasiLogging".to_owned()));
    assert_eq!(services("otel-raw"), ["WasiOtel"]);
    assert_eq!(services("command"), [""; 0]);
}

#[test]
fn the_versions_of_wasi_and_the_caller_are_shown() {
    let report = json("hello");
    assert_eq!((report["component"].as_str(), report["wasi"].as_str()), (Some("hello"), Some("0.3")));
    let handler = |report: &Value| {
        let exports = report["exports"].as_array().unwrap().clone();
        exports.into_iter().find(|export| export["name"].as_str().unwrap().contains("handler")).unwrap()
    };
    assert_eq!(handler(&report)["called_by"], "HttpServer");
    let report = json("hello-p2");
    assert_eq!(report["wasi"], "0.2");
    assert!(handler(&report)["name"].as_str().unwrap().starts_with("wasi:http/incoming-handler@0.2"));
    let report = json("command");
    assert_eq!(report["exports"][0]["called_by"], "run, once");
}

#[test]
fn the_text_says_the_same() {
    let ended = inspect("tempo", "config-only", &[]);
    let line = |part: &str| {
        let lines = ended.succeeded().lines();
        lines
            .filter(|line| line.contains(part))
            .map(str::to_owned)
            .next()
            .unwrap_or_else(|| panic!("no {part}: {ended:?}"))
    };
    assert!(ended.stdout.starts_with("config_only (WASI 0.3)\nimports\n"), "{ended:?}");
    assert!(line("wasi:config/store").ends_with("WasiConfig"));
    assert!(line("wasi:http/handler").ends_with("HttpServer"));
    assert!(!ended.stdout.contains("MISSING"), "{ended:?}");
}

#[test]
fn what_is_missing_is_shown_with_what_comes_nearest() {
    let ended = inspect("tempo", "missing", &[]);
    let text = ended.succeeded();
    assert!(text.contains("MISSING: no service of Tempo offers acme:billing"), "{text}");
    assert!(text.contains("MISSING: another version; this runtime has wasi:config@0.2.0-rc.1"), "{text}");
    let report = json("missing");
    let missing = report["imports"].as_array().unwrap().iter().filter(|import| import["nearest"].is_string());
    let missing: Vec<_> = missing.map(|import| import["name"].as_str().unwrap()).collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
}

#[test]
fn every_runtime_inspects() {
    for name in ["hello", "hello-p2", "axum", "config-only", "command", "hostile", "hostile-p2", "command-p3"] {
        let ended = inspect("tempo-http", name, &[]);
        assert!(!ended.succeeded().contains("MISSING"), "{ended:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(crate::support::guest::program("tempo"))
        .args(["inspect".into(), guest("hostile").into_os_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
