//! Brokers that cannot be opened and invalid subscriptions: the error message, the exit code, and the servers that are
//! never contacted.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::support::messaging::{Broker, wait_seen};
use crate::support::{Finished, Run, get, guest};

/// A value that must never be printed.
const SECRET: &str = "s3cret";

fn run(guest: &str, arguments: &[&str]) -> Finished {
    let run = Run::guest(guest).args(["--keyvalue", "memory:", "--connect-timeout", "2s"]).args(arguments);
    let ended = run.finish();
    assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    ended
}

#[test]
fn a_broker_that_nobody_has() {
    for url in [format!("ftp://user:{SECRET}@example.com/x"), format!("default=ftp://{SECRET}@example.com")] {
        run("orders", &["--messaging", &url])
            .failed_in_one_line(64, &["--messaging: ", "ftp:", "memory:", "file:", "nats:"]);
    }
    for text in [SECRET, &format!("={SECRET}:"), &format!("name={SECRET}")] {
        run("orders", &["--messaging", text]).failed_in_one_line(64, &["--messaging: expected [NAME=]URL"]);
    }
}

#[test]
fn a_server_that_is_not_there() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for guest in ["orders", "orders-p2"] {
        for path in ["", "/EVENTS"] {
            let url = format!("nats://user:{SECRET}@{address}{path}");
            run(guest, &["--messaging", &url, "--subscribe", "orders.>"]).failed_in_one_line(69, &[&address]);
        }
    }
}

#[test]
fn a_file_that_another_program_has_open_or_that_is_none() {
    let broker = Broker::file();
    let first = broker.serve("messaging-conformance", "check.>");
    run("orders", &["--messaging", &broker.url]).failed_in_one_line(69, &["messages.redb"]);
    assert_eq!(get(first.address, "/checks").status, 200);
    let ended = Run::guest("orders")
        .with_file("messages.redb", "not a database, but longer than the header of one".repeat(1000))
        .args(["--messaging", "file:messages.redb", "--keyvalue", "memory:"])
        .finish();
    ended.failed_in_one_line(66, &["messages.redb"]);
}

#[test]
fn a_subscription_that_is_none() {
    for (text, why) in [
        ("a b", "this is no topic"),
        ("a..b", "this is no topic"),
        ("a.>.b", "this is no topic"),
        ("a;nonsense=1", "no such option"),
        ("a;max-deliver=0", "max-deliver: expected"),
        ("a;backoff=soon", "backoff: expected"),
        ("a;consumer=a b", "consumer: expected"),
        ("nowhere=a", "no broker of that name"),
    ] {
        let ended = run("orders", &["--messaging", "memory:", "--subscribe", text]);
        ended.failed_in_one_line(64, &["--subscribe: ", why]);
    }
}

/// A component that only handles messages has no work; a component that also serves HTTP logs a warning.
#[test]
fn nothing_is_subscribed() {
    let worker = guest("messaging-worker").into_os_string();
    for program in ["tempo", "tempo-worker"] {
        let run = Run::new(program).args(["run".into(), worker.clone()]).args(["--messaging", "memory:"]);
        let ended = run.args(["--keyvalue", "memory:"]).finish();
        ended.failed_in_one_line(78, &["messaging_worker: handles messages", "--subscribe TOPIC"]);
    }
    let server = Run::guest("orders").args(["--messaging", "memory:", "--keyvalue", "memory:"]).serve();
    server.log.wait_for("has no subscription");
    assert_eq!(get(server.address, "/orders/1").status, 404, "it serves all the same");
}

/// The error of a runtime without messaging.
#[test]
fn a_runtime_without_messaging() {
    let run = |program, name| Run::new(program).args(["run".into(), guest(name).into_os_string()]).finish();
    let ended = run("tempo-http", "request-reply");
    ended.failed(65, &["tempo:messaging/producer@0.1.0", "WasiMessaging", "tempo and tempo-worker"]);
    let ended = run("tempo-worker", "hello");
    ended.failed(65, &["hello"]);
}

#[test]
fn a_server_is_asked_only_if_the_component_imports_messaging() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("nats://{}/EVENTS", listener.local_addr().unwrap());
    for guest in ["hello", "hello-p2", "config-only"] {
        let server = Run::guest(guest).args(["--messaging", &url, "--subscribe", "a"]).serve();
        assert!(get(server.address, "/").status < 500);
        drop(server);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{guest}");
    }
}

/// The settings file has the same effect as the flags.
#[test]
fn subscriptions_come_from_the_settings_file_and_the_environment() {
    let file = r#"
        [messaging]
        default = "memory:"

        [[subscribe]]
        topic = ["check.a", "check.b.*"]
        max-deliver = 2
        backoff = ["100ms", "200ms"]

        [[subscribe]]
        topic = "check.c"
        consumer = "other"
        ordered = true
    "#;
    let run = Run::guest("messaging-conformance").with_file("tempo.toml", file);
    let server = run.args(["--keyvalue", "memory:"]).serve();
    server.log.wait_for("handling check.a, check.b.* as consumer test_messaging of default (32 at once)");
    server.log.wait_for("handling check.c as consumer other of default (32 at once, in order)");
    for topic in ["check.a", "check.b.x", "check.c"] {
        crate::support::messaging::publish(server.address, &format!("topic={topic}"), "x");
        wait_seen(server.address, topic, 1);
    }
    let run = Run::guest("messaging-conformance").env("TEMPO_MESSAGING", "memory:").env("TEMPO_KEYVALUE", "memory:");
    let server = run.env("TEMPO_SUBSCRIBE", "check.a,check.b;consumer=other;max-in-flight=1").serve();
    server.log.wait_for("handling check.b as consumer other of default (1 at once)");
    crate::support::messaging::publish(server.address, "topic=check.a", "x");
    wait_seen(server.address, "check.a", 1);
}

/// Without configuration messages are on disk, and survive the process.
#[test]
fn without_configuration_messages_are_on_disk() {
    let directory = tempfile::TempDir::new().unwrap();
    let start = |arguments: &[&str]| Run::guest("orders").within(directory.path()).args(arguments).serve();
    drop(start(&["--subscribe", "orders.>"]));
    let server = start(&[]);
    server.log.wait_for(".tempo/messaging.redb");
    let order = r#"{"id":"1","customer":"Ada","item":"tea","quantity":2}"#;
    assert_eq!(crate::support::Client::connect(server.address).post("/orders", order).status, 202);
    drop(server);
    let server = start(&["--subscribe", "orders.>"]);
    crate::support::eventually("the order is handled", || {
        (get(server.address, "/orders/1").status == 200).then_some(())
    });
}
