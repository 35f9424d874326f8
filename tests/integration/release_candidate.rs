//! Components against the release candidate of WASI 0.3 with the types of 0.3.0, and against others.

use tempfile::TempDir;

use crate::support::guest::target;
use crate::support::wat::Component;
use crate::support::{Run, get};

const CANDIDATE: &str = "0.3.0-rc-2026-03-15";
const OTHER: &str = "0.3.0-rc-2026-02-09";

/// Creates a command that exports `run` in this version, and calls a function of `wasi:random` in each of `imports`, with
/// this result.
fn command(export: &str, imports: &[&str], result: &str) -> Component {
    let indexed = || imports.iter().enumerate();
    let name = "get-random-u64";
    let imported: String = indexed()
        .map(|(n, version)| {
            format!(
                r#"(import "wasi:random/random@{version}" (instance $i{n} (export "{name}" (func (result {result})))))
                (core func $f{n} (canon lower (func $i{n} "{name}")))"#
            )
        })
        .collect();
    let core = if result == "u64" { "i64" } else { "i32" };
    let fields: String =
        indexed().map(|(n, _)| format!(r#"(import "host" "{n}" (func $f{n} (result {core})))"#)).collect();
    let calls: String = indexed().map(|(n, _)| format!("(drop (call $f{n}))")).collect();
    let host: String = indexed().map(|(n, _)| format!(r#"(export "{n}" (func $f{n}))"#)).collect();
    Component::text(&format!(
        r#"(component {imported}
            (core module $m {fields} (func (export "run") (result i32) {calls} (i32.const 0)))
            (core instance $i (instantiate $m (with "host" (instance {host}))))
            (func $run async (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@{export}" (instance $run)))"#
    ))
}

#[test]
fn a_command_of_the_candidate_runs() {
    // A component of several parts may import both.
    for imports in [&[][..], &[CANDIDATE], &[CANDIDATE, "0.3.0"]] {
        let component = command(CANDIDATE, imports, "u64");
        Run::file(&component.path()).finish().succeeded();
    }
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).into_os_string();
    let component = command(CANDIDATE, &[CANDIDATE], "u64");
    let compile = ["compile".into(), component.path().into_os_string(), "-o".into(), path("command.bin")];
    Run::tempo(compile).env("TEMPO_KEY_FILE", path("key")).finish().succeeded();
    Run::file(path("command.bin").as_ref()).env("TEMPO_KEY_FILE", path("key")).finish().succeeded();
    for file in [component.path().into_os_string(), path("command.bin")] {
        let inspect = Run::tempo(["inspect".into(), file]).env("TEMPO_KEY_FILE", path("key")).finish();
        for line in ["wasi:random/random@0.3.0-rc-2026-03-15  WASI, as 0.3.0", "run, once, as 0.3.0"] {
            assert!(inspect.succeeded().contains(line), "{inspect:?}");
        }
    }
}

#[test]
fn its_types_are_checked() {
    let ended = Run::file(&command(CANDIDATE, &[CANDIDATE], "u32").path()).finish();
    ended.failed(65, &["wasi:random/random@0.3.0-rc-2026-03-15: the interface differs from the published one"]);
}

#[test]
fn another_candidate_is_refused_with_the_one_that_runs() {
    let refused = |component: &Component, problem: &str| {
        let runs = "and runs 0.3.0-rc-2026-03-15 as 0.3.0";
        Run::file(&component.path()).finish().failed(65, &[problem, runs]);
    };
    let import = "wasi:random/random@0.3.0-rc-2026-02-09: a release candidate that does not run; this runtime has \
                  wasi:random@0.3.0";
    refused(&command(OTHER, &[OTHER], "u64"), import);
    refused(&command(CANDIDATE, &[CANDIDATE, OTHER], "u64"), import);
    refused(&command(OTHER, &[CANDIDATE], "u64"), "it exports wasi:cli/run@0.3.0-rc-2026-02-09: a release candidate");
    let ended = Run::tempo(["inspect".into(), command(OTHER, &[OTHER], "u64").path()]).finish();
    assert!(ended.succeeded().contains("MISSING: a release candidate"), "{ended:?}");
    assert!(ended.stdout.contains("not called here"), "{ended:?}");
}

#[test]
fn a_component_of_spin_4_calls_every_package() {
    let component = target().join("interop/spin-6.wasm");
    if !component.exists() {
        return eprintln!("SKIPPED: `cargo xtask interop` has not built spin-6");
    }
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).into_os_string();
    let compile = ["compile".into(), component.clone().into_os_string(), "-o".into(), path("spin.bin")];
    Run::tempo(compile).env("TEMPO_KEY_FILE", path("key")).finish().succeeded();
    for file in [component.into_os_string(), path("spin.bin")] {
        let inspect = Run::tempo(["inspect".into(), file.clone()]).env("TEMPO_KEY_FILE", path("key")).finish();
        let line = "wasi:http/handler@0.3.0-rc-2026-03-15            HttpServer, as 0.3.0";
        assert!(inspect.succeeded().contains(line) && !inspect.stdout.contains("MISSING"), "{inspect:?}");
        let server = Run::file(file.as_ref())
            .env("TEMPO_KEY_FILE", path("key"))
            .args(["--dir", ".::/data", "--allow-socket", "127.0.0.1"])
            .serve();
        let response = get(server.address, "/interfaces");
        let expected = "waited: true, directories: 1, random bytes: 8, socket: true";
        assert_eq!((response.status, response.text()), (200, expected.to_owned()));
        server.log.wait_for("a line of standard output");
    }
}
