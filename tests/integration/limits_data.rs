//! The amount of data in one call, and the number of requests per instance.

use crate::support::wat::Component;
use crate::support::{Client, Run, get, serve, serve_with};

#[test]
fn random_bytes_at_their_edge() {
    // With 0.3 a guest receives fewer bytes than it requests.
    let server = serve_with("hostile", &["--max-random-bytes", "1000B"]);
    assert_eq!(get(server.address, "/random?bytes=999").text(), "999\n");
    assert_eq!(get(server.address, "/random?bytes=1000").text(), "1000\n");
    assert_eq!(get(server.address, "/random?bytes=1001").text(), "1000\n");
    // With 0.2 a longer request traps.
    let ended = |bytes| Run::file(&random(bytes).path()).args(["--max-random-bytes", "1000B"]).finish().code;
    assert_eq!([999, 1000].map(ended), [Some(0); 2]);
    assert_ne!(ended(1001), Some(0));
}

#[test]
fn random_bytes_are_limited_by_default() {
    let server = serve("hostile");
    assert_eq!(get(server.address, "/random?bytes=65536").text(), "65536\n");
    assert_eq!(get(server.address, "/random?bytes=65537").text(), "65536\n");
    assert_eq!(get(server.address, "/random?bytes=18446744073709551615").text(), "65536\n");
}

/// Requests random bytes over WASI 0.2.
fn random(bytes: u32) -> Component {
    Component::text(&format!(
        r#"(component
            (import "wasi:random/random@0.2.0" (instance $random
                (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
            (core module $memory
                (memory (export "memory") 10)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
            (core instance $memory (instantiate $memory))
            (core func $get (canon lower (func $random "get-random-bytes")
                (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
            (core module $m
                (import "host" "get" (func $get (param i64 i32)))
                (func (export "run") (result i32) (call $get (i64.const {bytes}) (i32.const 0)) (i32.const 0)))
            (core instance $i (instantiate $m (with "host" (instance (export "get" (func $get))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    ))
}

/// Sends the host a log message of `bytes` zeros in one call.
fn message(bytes: u32) -> Component {
    Component::text(&format!(
        r#"(component
            (import "wasi:logging/logging" (instance $logging
                (type $levels (enum "trace" "debug" "info" "warn" "error" "critical"))
                (export "level" (type $level (eq $levels)))
                (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
            (core module $memory (memory (export "memory") 300))
            (core instance $memory (instantiate $memory))
            (core func $log (canon lower (func $logging "log") (memory (core memory $memory "memory"))))
            (core module $m
                (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
                (func (export "run") (result i32)
                    (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {bytes}))
                    (i32.const 0)))
            (core instance $i (instantiate $m (with "host" (instance (export "log" (func $log))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    ))
}

#[test]
fn data_of_one_call_at_its_edge() {
    let sizes = |limit: u32, arguments: &[&str]| {
        [limit - 1, limit, limit + 1]
            .map(|bytes| Run::file(&message(bytes).path()).args(arguments).finish().code == Some(0))
    };
    assert_eq!(sizes(1000, &["--max-hostcall-bytes", "1000B"]), [true, true, false]);
    assert_eq!(sizes(16 << 20, &[]), [true, true, false], "the default");
}

/// Returns the responses of a guest that counts the requests of its instance.
fn counts(guest: &str, arguments: &[&str], requests: usize) -> Vec<usize> {
    let server = serve_with(guest, arguments);
    let mut client = Client::connect(server.address);
    (0..requests).map(|_| client.get("/counter").text().trim().parse().unwrap()).collect()
}

#[test]
fn an_instance_serves_as_many_requests_as_it_may() {
    assert_eq!(counts("hostile", &["--instance-reuse", "3"], 7), [1, 2, 3, 1, 2, 3, 1]);
    assert_eq!(counts("hostile-p2", &["--instance-reuse", "3"], 7), [1, 2, 3, 1, 2, 3, 1]);
    assert_eq!(counts("hostile", &["--instance-reuse", "1"], 3), [1, 1, 1]);
}

#[test]
fn reuse_is_128_with_wasi_0_3_and_1_with_wasi_0_2() {
    let counted = counts("hostile", &[], 130);
    assert_eq!((counted[126], counted[127], counted[128], counted[129]), (127, 128, 1, 2));
    assert_eq!(counts("hostile-p2", &[], 3), [1, 1, 1]);
}

#[test]
fn an_instance_that_failed_is_not_used_again() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/counter").text(), "1\n");
    assert_eq!(client.get("/counter").text(), "2\n");
    assert_eq!(client.get("/trap").status, 500);
    assert_eq!(client.get("/counter").text(), "1\n");
}

#[test]
fn an_instance_that_has_grown_is_not_used_again() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/counter").text(), "1\n");
    assert_eq!(client.get("/grow?pages=1500").text(), "1500 pages\n");
    assert_eq!(client.get("/counter").text(), "1\n", "most of its memory is taken");
    assert_eq!(client.get("/leak?handles=3000").status, 200);
    assert_eq!(client.get("/counter").text(), "1\n", "most of its handles are taken");
}
