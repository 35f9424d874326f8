//! Components that cannot run: the error message and the exit code.

use crate::support::wat::Component;
use crate::support::{Finished, Run, guest};

fn run(component: &Component) -> Finished {
    Run::file(&component.path()).finish()
}

#[test]
fn what_is_not_webassembly() {
    for bytes in [&b""[..], b"hello", b"\0asm", b"\0asm\x0d\0\x01\0garbage", b"#!/bin/sh\necho\n"] {
        run(&Component::bytes(bytes)).failed_in_one_line(65, &["component.wasm: not valid WebAssembly at offset 0x"]);
    }
}

#[test]
fn a_component_that_is_cut_short_or_damaged() {
    let whole = std::fs::read(guest("hello")).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 100] {
        run(&Component::bytes(&whole[..length])).failed_in_one_line(65, &["not valid WebAssembly at offset 0x"]);
    }
    let mut damaged = whole;
    damaged.truncate(damaged.len() - 1);
    let half = damaged.len() / 2;
    damaged[half..half + 64].fill(0xff);
    run(&Component::bytes(&damaged)).failed_in_one_line(65, &["not valid WebAssembly at offset 0x"]);
}

#[test]
fn a_component_without_a_handler() {
    run(&Component::text("(component)")).failed_in_one_line(
        65,
        &["exports none of: wasi:http/incoming-handler, wasi:http/handler, wasi:keyvalue/watcher, wasmcloud:keyvalue/watcher, \
           tempo:messaging/handler, wasi:messaging/incoming-handler, wasmcloud:messaging/handler, wasi:cli/run; it exports \
           nothing"],
    );
    let other = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $x (export "f" (func $f)))
        (export "acme:billing/run@1.0.0" (instance $x)))"#;
    run(&Component::text(other)).failed_in_one_line(65, &["it exports acme:billing/run@1.0.0"]);
}

#[test]
fn every_missing_import_is_named_with_what_comes_nearest() {
    let ended = Run::guest("missing").finish();
    ended.failed(65, &["`tempo` does not offer everything that this component imports:"]);
    ended.failed(65, &["acme:billing/invoices@1.2.0: no service of Tempo offers acme:billing"]);
    ended.failed(65, &["wasi:config/store@0.3.0: another version; this runtime has wasi:config@0.2.0-rc.1"]);
    assert_eq!(ended.stderr.lines().count(), 3, "{ended:?}");
}

#[test]
fn a_function_of_another_type_is_named() {
    let wrong = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance (export "get-arguments" (func (result u32)))))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    run(&Component::text(wrong)).failed(65, &["wasi:cli/environment@0.2.0"]);
}

#[test]
fn a_file_that_is_not_there() {
    for command in ["run", "compile", "inspect"] {
        Run::tempo([command, "nowhere.wasm"])
            .finish()
            .failed_in_one_line(66, &["cannot read nowhere.wasm: No such file"]);
    }
    let run = Run::tempo(["run", "."]);
    run.finish().failed_in_one_line(66, &["cannot read .: "]);
}

#[test]
fn an_output_that_cannot_be_written() {
    let hello = guest("hello");
    let compile = |output: &str| {
        Run::tempo(["compile".as_ref(), hello.as_os_str(), "--output".as_ref(), output.as_ref()]).finish()
    };
    compile("no/such/directory/app.bin")
        .failed_in_one_line(73, &["cannot write no/such/directory/app.bin: No such file"]);
    compile(".").failed_in_one_line(73, &["cannot write .: "]);
}
