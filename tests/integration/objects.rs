//! Components that throw exceptions or allocate garbage-collected objects, and imports that select the engine. Each
//! file of `tests/wat` runs under wasmtime 48.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::wat::Component;
use crate::support::{Finished, Run, get};

const EXCEPTION_COMMAND: &str = include_str!("../wat/exn-cmd.wat");
const EXCEPTION_HTTP: &str = include_str!("../wat/exn-http.wat");
const STRUCT_COMMAND: &str = include_str!("../wat/gc-cmd.wat");
const TAG_COMMAND: &str = include_str!("../wat/tagonly-cmd.wat");
const IMPORT_COMMAND: &str = include_str!("../wat/p3-import-without-async.wat");

/// The same component, on an engine with concurrency support.
fn concurrent(text: &str) -> String {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "now" (func (result u64)))))"#;
    text.replacen("(component", &format!("(component {import}"), 1)
}

/// A component as WebAssembly and precompiled, with the key for the latter.
struct Forms {
    component: Component,
    directory: TempDir,
}

impl Forms {
    fn of(text: &str, flags: &[&str]) -> Self {
        let forms = Self { component: Component::text(text), directory: TempDir::new().unwrap() };
        let output = forms.directory.path().join("component.bin");
        let arguments = ["compile".into(), forms.component.path(), "-o".into(), output];
        let compile = Run::tempo(arguments).args(flags).env("TEMPO_KEY_FILE", forms.key());
        compile.finish().succeeded();
        forms
    }

    fn paths(&self) -> [PathBuf; 2] {
        [self.component.path(), self.directory.path().join("component.bin")]
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("host.key")
    }

    fn run(&self, path: &Path, flags: &[&str]) -> Finished {
        Run::file(path).args(flags).env("TEMPO_KEY_FILE", self.key()).finish()
    }
}

#[test]
fn commands_throw_and_allocate() {
    for text in [EXCEPTION_COMMAND, STRUCT_COMMAND, TAG_COMMAND] {
        for text in [text.to_owned(), concurrent(text)] {
            let forms = Forms::of(&text, &[]);
            for path in forms.paths() {
                forms.run(&path, &[]).succeeded();
            }
        }
    }
}

#[test]
fn every_request_may_throw() {
    for text in [EXCEPTION_HTTP.to_owned(), concurrent(EXCEPTION_HTTP)] {
        let forms = Forms::of(&text, &[]);
        for path in forms.paths() {
            // One permit, so that every request needs the heap of the one before.
            let flags = ["--max-requests", "1", "--instance-reuse", "1"];
            let server = Run::file(&path).args(flags).env("TEMPO_KEY_FILE", forms.key()).serve();
            for _ in 0..5 {
                assert_eq!(get(server.address, "/").status, 200, "{}", server.log.text());
            }
        }
    }
}

#[test]
fn an_import_of_wasi_0_3_needs_no_async_function() {
    let forms = Forms::of(IMPORT_COMMAND, &[]);
    for path in forms.paths() {
        forms.run(&path, &[]).succeeded();
    }
}

/// Allocates `count` arrays of 1 MiB, and keeps all of them or only the last.
fn allocating(count: u32, keeps: bool) -> String {
    let next = if keeps { "(local.get $last)" } else { "(ref.null $node)" };
    format!(
        r#"(component
            (core module $m
                (type $bytes (array (mut i8)))
                (type $node (struct (field (ref $bytes)) (field (ref null $node))))
                (func (export "run") (result i32) (local $left i32) (local $last (ref null $node))
                    (local.set $left (i32.const {count}))
                    (loop $again
                        (local.set $last (struct.new $node (array.new_default $bytes (i32.const 0x100000)) {next}))
                        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                        (br_if $again (local.get $left)))
                    (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"#
    )
}

#[test]
fn objects_count_as_memory() {
    for text in [allocating(40, true), concurrent(&allocating(40, true))] {
        let forms = Forms::of(&text, &[]);
        for path in forms.paths() {
            let ended = forms.run(&path, &["--max-memory", "16MiB"]);
            assert_eq!(ended.code, Some(70), "{ended:?}");
            assert!(ended.stderr.contains("(limit: --max-memory)"), "{ended:?}");
        }
    }
}

#[test]
fn objects_that_nothing_refers_to_are_freed() {
    for text in [allocating(200, false), concurrent(&allocating(200, false))] {
        let component = Component::text(&text);
        Run::file(&component.path()).args(["--max-memory", "16MiB"]).finish().succeeded();
    }
}

#[test]
fn a_table_that_is_too_large_is_refused_with_its_flag() {
    let forms = Forms::of(include_str!("../wat/table150000.wat"), &["--max-table-elements", "150000"]);
    for path in forms.paths() {
        forms.run(&path, &["--max-table-elements", "150000"]).succeeded();
        forms.run(&path, &[]).failed_in_one_line(78, &["150000 initial elements", "raise --max-table-elements"]);
    }
}

#[test]
fn too_many_tables_are_refused_with_their_flag() {
    let with = |module: &str, instances: usize| {
        let instances = "(core instance (instantiate $t))".repeat(instances);
        let rest = TAG_COMMAND.replace("(tag $e)", "").replacen("(component", "", 1);
        format!("(component (core module $t {module}) {instances} {rest}")
    };
    let seventeen = "(table 1 funcref)".repeat(17);
    // In one module, and in one that is instantiated often.
    for text in [with(&seventeen, 1), with("(table 1 funcref)", 17)] {
        let forms = Forms::of(&text, &["--max-tables", "17"]);
        for path in forms.paths() {
            forms.run(&path, &["--max-tables", "17"]).succeeded();
            forms.run(&path, &[]).failed_in_one_line(78, &["17 tables", "may have 16", "raise --max-tables"]);
        }
    }
    // A module that is never instantiated has no table.
    let unused = Component::text(&with(&seventeen, 0));
    Run::file(&unused.path()).finish().succeeded();
}

#[test]
fn memories_that_together_are_too_large_are_no_overload() {
    let memories = r#"(core module $l (memory 100)) (core instance (instantiate $l)) (core instance (instantiate $l))"#;
    let component = Component::text(&EXCEPTION_HTTP.replacen("(component", &format!("(component {memories}"), 1));
    let server = Run::file(&component.path()).args(["--max-memory", "10MiB"]).serve();
    get(server.address, "/").is_plain_refusal(500);
    server.log.wait_for("requested");
    let line = server.log.wait_for("the component trapped");
    assert!(line.contains("(limit: --max-memory)"), "{line}");
}
