//! Watching keyvalue stores: a component that exports the watcher receives every change, in order for each key.

use crate::support::admin::Admin;
use crate::support::storage::{Backend, on_each_backend};
use crate::support::{Client, Server, eventually, get};

on_each_backend!(changes_are_told_in_order, a_call_that_traps_is_one_change);

/// Returns the log lines with `part`, in their order.
fn lines(server: &Server, part: &str) -> Vec<String> {
    let text = server.log.text();
    text.lines().filter_map(|line| line.find(part).and_then(|start| line.get(start..))).map(str::to_owned).collect()
}

fn changes_are_told_in_order(backend: &Backend) {
    let server = backend.serve("keyvalue-watcher");
    server.log.wait_for("watching keyvalue stores: default");
    for round in 0..5 {
        assert_eq!(get(server.address, &format!("/set/ordered/{round}")).status, 204);
        assert_eq!(get(server.address, &format!("/set/other-{round}/x")).status, 204);
    }
    assert_eq!(get(server.address, "/delete/ordered").status, 204);
    server.log.wait_for("delete ordered, found Ok(false)");
    let values: Vec<_> =
        lines(&server, "set ordered=").iter().map(|line| line["set ordered=".len()..][..1].to_owned()).collect();
    assert_eq!(values, ["0", "1", "2", "3", "4"], "{}", server.log.text());
    for round in 0..5 {
        server.log.wait_for(&format!("set other-{round}=x, found Ok(true)"));
    }
}

fn a_call_that_traps_is_one_change(backend: &Backend) {
    let server = backend.serve("keyvalue-watcher");
    for target in ["/set/trap/1", "/set/after/2"] {
        assert_eq!(get(server.address, target).status, 204);
    }
    server.log.wait_for("the component trapped over a change of a keyvalue store");
    server.log.wait_for("set after=2, found Ok(true)");
    assert_eq!(get(server.address, "/set/again/3").status, 204, "it serves on");
    server.log.wait_for("set again=3");
}

#[test]
fn changes_of_another_program_arrive_after_the_server_was_away_too() {
    let mut backend = Backend::nats();
    let watcher = backend.serve("keyvalue-watcher");
    let writer = backend.serve("keyvalue");
    assert_eq!(Client::connect(writer.address).put("/sessions/1", "before").status, 204);
    watcher.log.wait_for("set sessions/1=before");
    backend.nats.as_mut().unwrap().crash_and_restart();
    // The runtime may reconnect to the server later than the test.
    eventually("the server is found again", || {
        (Client::connect(writer.address).put("/sessions/2", "after").status == 204).then_some(())
    });
    assert_eq!(Client::connect(writer.address).delete("/sessions/1").status, 204);
    watcher.log.wait_for("set sessions/2=after");
    watcher.log.wait_for("delete sessions/1, found Ok(false)");
}

#[test]
fn instances_of_the_watcher_are_counted() {
    let server = Backend::memory().run("keyvalue-watcher").args(["--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    assert_eq!(get(server.address, "/set/counted/1").status, 204);
    server.log.wait_for("set counted=1, found");
    let metrics = admin.get("/metrics").text();
    // One instance handled the request, one the change.
    for name in ["tempo_instances_created_total", "tempo_instantiate_duration_seconds_count"] {
        let line = metrics.lines().find(|line| line.starts_with(name));
        assert!(line.is_some_and(|line| line.ends_with(" 2")), "{name}: {line:?}");
    }
}
