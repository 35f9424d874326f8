//! `tempo compile`, and running its output.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use crate::support::{Run, get, guest};

#[test]
fn what_was_compiled_runs_with_no_further_flag() {
    let home = TempDir::new().unwrap();
    for name in ["hello", "hello-p2"] {
        let file = home.path().join(format!("{name}.bin"));
        let compile = ["compile".into(), guest(name).into_os_string(), "--output".into(), file.clone().into()];
        Run::tempo(compile).env("XDG_DATA_HOME", home.path()).finish().succeeded();
        let server = Run::file(&file).env("XDG_DATA_HOME", home.path()).serve();
        assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n");
    }
    let key = fs::metadata(home.path().join("tempo/host.key")).unwrap();
    assert_eq!((key.len(), key.permissions().mode() & 0o777), (32, 0o600));
}

#[test]
fn the_key_can_lie_elsewhere_and_the_limits_apply() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).into_os_string();
    let compile = ["compile".into(), guest("hostile").into_os_string(), "-o".into(), path("app.bin")];
    Run::tempo(compile).args(["--key-file".into(), path("key")]).finish().succeeded();
    let server = Run::file(path("app.bin").as_ref())
        .args(["--key-file".into(), path("key")])
        .args(["--max-memory", "4MiB", "--max-random-bytes", "10B", "--instance-reuse", "1"])
        .serve();
    assert_eq!(get(server.address, "/grow?pages=64").text(), "64 pages\n");
    assert!(get(server.address, "/grow?pages=65").text().ends_with("refused\n"));
    assert_eq!(get(server.address, "/random?bytes=11").text(), "10\n");
}

#[test]
fn the_output_is_beside_the_component_unless_named() {
    let directory = TempDir::new().unwrap();
    let component = directory.path().join("app.wasm");
    fs::copy(guest("hello"), &component).unwrap();
    let run = Run::tempo(["compile".as_ref(), component.as_os_str()]);
    run.env("XDG_DATA_HOME", directory.path()).finish().succeeded();
    assert!(directory.path().join("app.bin").is_file());
}

#[test]
fn a_command_is_compiled_too() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("command.bin");
    let compile = ["compile".into(), guest("command").into_os_string(), "-o".into(), file.clone().into_os_string()];
    Run::tempo(compile).env("XDG_DATA_HOME", directory.path()).finish().succeeded();
    let ended = Run::tempo(["run".as_ref(), file.as_os_str()]).env("XDG_DATA_HOME", directory.path());
    assert_eq!(ended.args(["--", "hello"]).finish().succeeded(), "arg hello\n");
}

#[test]
fn a_file_that_was_compiled_can_be_inspected() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("app.bin");
    let compile = ["compile".into(), guest("hello").into_os_string(), "-o".into(), file.clone().into_os_string()];
    Run::tempo(compile).env("XDG_DATA_HOME", directory.path()).finish().succeeded();
    let ended = Run::tempo(["inspect".as_ref(), file.as_os_str()]).env("XDG_DATA_HOME", directory.path()).finish();
    assert!(ended.succeeded().contains("wasi:http/handler@0.3"), "{ended:?}");
}

#[test]
fn a_component_is_compiled_for_every_processor_of_a_target() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("app.bin");
    let compile = |target: &str| {
        let arguments = ["compile".into(), guest("hello").into_os_string(), "-o".into(), file.clone().into_os_string()];
        Run::tempo(arguments).args(["--target", target]).env("XDG_DATA_HOME", directory.path()).finish()
    };
    compile("riscv64gc-unknown-linux-gnu").failed_in_one_line(78, &["riscv64gc-unknown-linux-gnu", "compiles for"]);
    compile(&format!("{}-nonsense-nonsense", std::env::consts::ARCH)).failed_in_one_line(78, &["nonsense"]);
    assert!(!file.exists());
    compile(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH)).succeeded();
    let server = Run::file(&file).env("XDG_DATA_HOME", directory.path()).serve();
    assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n");
}
