//! Address spaces that the instance pool does not fit into.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::wat::Component;
use crate::support::{Run, get, guest};

/// Less than the pool of one instance, in GiB.
const SMALL: usize = 4;
/// Fits the pool of one instance, but not that of a server, in GiB.
const MEDIUM: usize = 16;

const DOES_NOT_FIT: &str = "does not fit into the address space";

/// A file precompiled without a limit, its directory, and its key.
struct Precompiled {
    directory: TempDir,
}

impl Precompiled {
    fn of(component: &Path, flags: &[&str], address_space: Option<usize>) -> Self {
        let precompiled = Self { directory: TempDir::new().unwrap() };
        let arguments: [OsString; 4] = ["compile".into(), component.into(), "-o".into(), precompiled.path().into()];
        let compile = Run::tempo(arguments).args(flags).env("TEMPO_KEY_FILE", precompiled.key());
        let compiled = match address_space {
            Some(gibibytes) => compile.address_space(gibibytes).finish(),
            None => compile.finish(),
        };
        compiled.succeeded();
        assert_eq!(compiled.stderr.contains(DOES_NOT_FIT), address_space.is_some(), "{compiled:?}");
        precompiled
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("component.bin")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("host.key")
    }

    fn run(&self, flags: &[&str]) -> Run {
        Run::file(&self.path()).args(flags).env("TEMPO_KEY_FILE", self.key())
    }
}

#[test]
fn servers_allocate_on_demand_and_log_it_once() {
    for (runtime, component) in [("tempo", "hello"), ("tempo", "hello-p2"), ("tempo-http", "hello")] {
        let arguments: [OsString; 4] = ["run".into(), guest(component).into(), "--addr".into(), "127.0.0.1:0".into()];
        let server = Run::new(runtime).args(arguments).address_space(SMALL).serve();
        for _ in 0..3 {
            assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n", "{runtime} {component}");
        }
        server.log.wait_for("lower --max-requests, or accept this with --allocation on-demand");
        assert_eq!(server.log.count(DOES_NOT_FIT), 1, "{}", server.log.text());
    }
}

#[test]
fn consumers_of_messages_allocate_on_demand() {
    let arguments: [OsString; 4] =
        ["run".into(), guest("messaging-worker").into(), "--messaging".into(), "memory:".into()];
    let worker = Run::new("tempo-worker").args(arguments).args(["--subscribe", "jobs.>"]).address_space(SMALL).work();
    worker.log.wait_for(DOES_NOT_FIT);
}

#[test]
fn limits_hold_on_demand() {
    let flags = ["--allocation", "on-demand", "--max-memory", "4MiB", "--max-table-elements", "100000"];
    let server = Run::file(&guest("hostile")).args(flags).serve();
    assert_eq!(get(server.address, "/grow?pages=64").text(), "64 pages\n");
    assert!(get(server.address, "/grow?pages=65").text().ends_with("refused\n"));
    assert!(!server.log.text().contains(DOES_NOT_FIT), "{}", server.log.text());
    let many =
        "(component (core module $m (table 1 funcref)) ".to_owned() + &"(core instance (instantiate $m))".repeat(3);
    let run = r#"(core module $r (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $r)) (func $run (result (result)) (canon lift (core func $i "run")))
        (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"#;
    let component = Component::text(&(many + run));
    for (limit, fits) in [("2", false), ("3", true), ("4", true)] {
        let ended = Run::file(&component.path()).args(["--allocation", "on-demand", "--max-tables", limit]).finish();
        if fits {
            ended.succeeded();
        } else {
            ended.failed_in_one_line(78, &["it has 3 tables and may have 2: raise --max-tables"]);
        }
    }
}

#[test]
fn objects_are_allocated_on_demand() {
    let text = include_str!("../wat/gc-cmd.wat");
    let ended = Run::file(&Component::text(text).path()).address_space(SMALL).finish();
    ended.succeeded();
    let component = Component::text(include_str!("../wat/exn-http.wat"));
    let server = Run::file(&component.path()).address_space(SMALL).serve();
    for _ in 0..3 {
        assert_eq!(get(server.address, "/").status, 200, "{}", server.log.text());
    }
}

#[test]
fn a_command_reserves_one_instance_only() {
    let run = || Run::tempo(["run".into(), guest("command").into_os_string(), "--".into(), "hello".into()]);
    let ended = run().address_space(MEDIUM).finish();
    assert_eq!((ended.succeeded(), &*ended.stderr), ("arg hello\n", ""));
    let ended = run().address_space(SMALL).finish();
    assert_eq!(ended.succeeded(), "arg hello\n");
    assert_eq!(ended.stderr.matches("the pool of one instance does not fit").count(), 1, "{ended:?}");
    let precompiled = Precompiled::of(&guest("command"), &[], None);
    precompiled.run(&["--", "hello"]).address_space(MEDIUM).finish().succeeded();
}

#[test]
fn inspect_reserves_nothing() {
    let precompiled = Precompiled::of(&guest("hello"), &[], None);
    for path in [guest("hello"), precompiled.path()] {
        let inspect = Run::tempo(["inspect".into(), path.into_os_string()]).env("TEMPO_KEY_FILE", precompiled.key());
        let ended = inspect.address_space(SMALL).finish();
        assert!(ended.succeeded().contains("HttpServer"), "{ended:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_precompiled_file_names_its_allocation() {
    let pooling = Precompiled::of(&guest("hello"), &[], None);
    pooling.run(&[]).address_space(SMALL).finish().failed_in_one_line(
        78,
        &["for --allocation pooling, and the pool of 448 instances", "compile it with --allocation on-demand"],
    );
    let message = "for --allocation pooling; compile it with --allocation on-demand";
    pooling.run(&["--allocation", "on-demand"]).finish().failed_in_one_line(78, &[message]);
    // By the flag here, or by default where it runs.
    let given = Precompiled::of(&guest("hello"), &["--allocation", "on-demand"], None);
    let compiled_there = Precompiled::of(&guest("hello"), &[], Some(SMALL));
    for on_demand in [given, compiled_there] {
        let message = "for --allocation on-demand; compile it with --allocation pooling";
        on_demand.run(&["--allocation", "pooling"]).finish().failed_in_one_line(78, &[message]);
        for run in [on_demand.run(&[]), on_demand.run(&[]).address_space(SMALL)] {
            let server = run.serve();
            assert_eq!(get(server.address, "/").text(), "Hello from Tempo!\n");
            assert!(!server.log.text().contains(DOES_NOT_FIT), "{}", server.log.text());
        }
    }
    let arguments: [OsString; 5] =
        ["run".into(), guest("hello").into(), "--addr".into(), "127.0.0.1:0".into(), "--allocation=pooling".into()];
    let ended = Run::tempo(arguments).address_space(SMALL).finish();
    ended.failed_in_one_line(78, &[DOES_NOT_FIT, "lower --max-requests, or give --allocation on-demand"]);
}

#[test]
fn a_file_for_a_pool_is_compiled_where_the_pool_does_not_fit() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).into_os_string();
    let arguments = ["compile".into(), guest("hello").into(), "-o".into(), path("hello.bin")];
    let compile = Run::tempo(arguments).args(["--allocation", "pooling"]).env("TEMPO_KEY_FILE", path("key"));
    compile.address_space(SMALL).finish().succeeded();
    let server = Run::file(path("hello.bin").as_ref()).env("TEMPO_KEY_FILE", path("key")).serve();
    assert_eq!(get(server.address, "/").status, 200);
}
