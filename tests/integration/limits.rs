//! The limits of a component: memory, tables, handles, stack. The components are written by hand, to meet each limit
//! exactly.

use crate::support::wat::Component;
use crate::support::{Finished, Run, get, serve_with};

fn run(component: &Component, arguments: &[&str]) -> Finished {
    Run::file(&component.path()).args(arguments).finish()
}

/// Runs a component for each amount, and asserts that the amounts within the limit succeed.
#[track_caller]
fn edges(amounts: [u32; 3], arguments: &[&str], component: impl Fn(u32) -> Component) {
    let ended = amounts.map(|amount| run(&component(amount), arguments));
    assert_eq!(ended[0].code, Some(0), "below the limit: {:?}", ended[0]);
    assert_eq!(ended[1].code, Some(0), "at the limit: {:?}", ended[1]);
    assert_ne!(ended[2].code, Some(0), "above the limit");
}

/// Grows `what` by `amount`; fails if the growth is refused.
fn grow(what: &str, amount: u32) -> String {
    let arguments =
        if what == "table" { format!("(ref.null func) (i32.const {amount})") } else { format!("(i32.const {amount})") };
    format!("(i32.eq ({what}.grow {arguments}) (i32.const -1))")
}

#[test]
fn memory_at_its_edge() {
    // 10 pages, one of which exists from the start.
    edges([8, 9, 10], &["--max-memory", "640KiB"], |pages| Component::command("(memory 1)", &grow("memory", pages)));
}

#[test]
fn memories_are_counted_together() {
    edges([1, 2, 3], &["--max-memory", "640KiB"], |pages| {
        Component::text(&format!(
            r#"(component
                (core module $four (memory 4))
                (core module $m (memory 0) (func (export "run") (result i32) {}))
                (core instance (instantiate $four))
                (core instance (instantiate $four))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $run (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $run)))"#,
            grow("memory", pages)
        ))
    });
}

#[test]
fn memory_that_is_there_from_the_start_counts() {
    edges([9, 10, 11], &["--max-memory", "640KiB"], |pages| {
        Component::command(&format!("(memory {pages})"), "(i32.const 0)")
    });
}

#[test]
fn table_elements_at_their_edge() {
    edges([8, 9, 10], &["--max-table-elements", "10"], |elements| {
        Component::command("(table 1 funcref)", &grow("table", elements))
    });
    edges([9, 10, 11], &["--max-table-elements", "10"], |elements| {
        Component::command(&format!("(table {elements} funcref)"), "(i32.const 0)")
    });
}

#[test]
fn tables_at_their_edge() {
    edges([2, 3, 4], &["--max-tables", "3"], |tables| {
        let tables = "(table 1 funcref)".repeat(usize::try_from(tables).unwrap());
        Component::command(&tables, "(i32.const 0)")
    });
}

/// Subscribes to a clock `count` times and never drops the pollables.
fn subscriber(count: u32) -> Component {
    Component::text(&format!(
        r#"(component
            (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (alias outer 1 $pollable (type $outer))
                (export "pollable" (type $p (eq $outer)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core module $m
                (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
                (func (export "run") (result i32) (local $left i32)
                    (local.set $left (i32.const {count}))
                    (loop $again
                        (drop (call $subscribe (i64.const 1)))
                        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                        (br_if $again (local.get $left)))
                    (i32.const 0)))
            (core instance $i (instantiate $m (with "clock" (instance (export "subscribe" (func $subscribe))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#
    ))
}

#[test]
fn handles_at_their_edge() {
    // Each takes two entries in the host's table: the clock's and the pollable's.
    edges([49, 50, 51], &["--max-handles", "100"], subscriber);
    // The default.
    edges([2047, 2048, 2049], &[], subscriber);
}

#[test]
fn handles_of_streams_are_limited_too() {
    let server = serve_with("hostile", &["--max-handles", "100", "--instance-reuse", "1"]);
    assert_eq!(get(server.address, "/leak?handles=20&kind=stream").status, 200);
    assert_eq!(get(server.address, "/leak?handles=20").status, 200);
    get(server.address, "/leak?handles=200&kind=stream").is_plain_refusal(500);
    get(server.address, "/leak?handles=200").is_plain_refusal(500);
}

#[test]
fn the_stack_is_limited() {
    let recursion = |depth: u32| {
        let fields = "(func $down (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
                (else (i32.const 0))))";
        Component::command(fields, &format!("(i32.ne (call $down (i32.const {depth})) (i32.const {depth}))"))
    };
    assert_eq!(run(&recursion(10_000), &["--max-wasm-stack", "1MiB"]).code, Some(0));
    assert_ne!(run(&recursion(10_000), &["--max-wasm-stack", "64KiB"]).code, Some(0));
    assert_ne!(run(&recursion(10_000_000), &[]).code, Some(0), "the default");
}

#[test]
fn the_default_memory_is_128_mib() {
    let server = serve_with("hostile", &["--instance-reuse", "1", "--cpu-timeout", "30s"]);
    let pages = (128 << 20) / (64 << 10);
    for (wanted, answer) in [(pages - 1, "2047 pages\n"), (pages, "2048 pages\n")] {
        assert_eq!(get(server.address, &format!("/grow?pages={wanted}")).text(), answer);
    }
    let above = get(server.address, &format!("/grow?pages={}", pages + 1)).text();
    assert!(above.ends_with(" pages, refused\n"), "{above}");
}
