//! What a reload keeps: consumers and watchers that it does not concern. What it reads again: configuration files.

use nkeys::KeyPair;

use super::{Folder, refused, reload, replaced, wasm};
use crate::support::messaging::{Broker, attempts, publish, publish_many, seen, wait_done, wait_seen};
use crate::support::nats::Nats;
use crate::support::{Client, Server, eventually, get};

/// A trigger whose components are the same goes on with them.
#[test]
fn a_reload_without_a_change_keeps_consumers_and_watchers() {
    let folder = Folder::new();
    folder.write("app.wasm", wasm("messaging-conformance", 0));
    let run = folder.run("app.wasm").args(["--messaging", "memory:", "--keyvalue", "memory:"]);
    let server = run.args(["--subscribe", "check.>"]).serve();
    for round in 1..3 {
        reload(&server, "no component has changed");
        publish_many(server.address, 10, "topic=check.a");
        wait_done(server.address, "check.a", 10 * round);
    }
    let folder = Folder::new();
    folder.write("app.wasm", wasm("keyvalue-watcher", 0));
    folder.write("web.wasm", wasm("hello", 0));
    folder.write(
        "tempo.toml",
        "name = \"app\"\n[component.watcher]\nsource = \"app.wasm\"\nroute = \"/*\"\nkeyvalue = \"memory:\"\n\
        [component.web]\nsource = \"web.wasm\"\nroute = \"/hello\"\n",
    );
    let server = folder.run("").serve();
    folder.write("web.wasm", wasm("hello", 1));
    replaced(&server, "web");
    assert_eq!(get(server.address, "/set/a/1").status, 204);
    server.log.wait_for("set a=1, found Ok(true)");
}

/// Another member of the consumer, or another connection, would get the message that is being handled a second time.
fn a_reload_without_a_change_keeps_the_consumer(broker: &Broker) {
    let folder = Folder::new();
    folder.write("app.wasm", wasm("messaging-conformance", 0));
    let run = folder.run("app.wasm").args(["--messaging", &broker.url, "--keyvalue", &broker.keyvalue]);
    let server = run.args(["--subscribe", "check.>"]).serve();
    publish(server.address, "topic=check.held&act=hang", "held");
    wait_seen(server.address, "check.held", 1);
    for round in 1..3 {
        reload(&server, "no component has changed");
        publish_many(server.address, 10, "topic=check.a");
        wait_done(server.address, "check.a", 10 * round);
    }
    assert_eq!(attempts(&seen(server.address, "check.held")), [1]);
    assert_eq!(seen(server.address, "check.a").len(), 20);
}

#[test]
fn a_reload_without_a_change_keeps_the_consumer_in_a_file() {
    a_reload_without_a_change_keeps_the_consumer(&Broker::file());
}

#[test]
fn a_reload_without_a_change_keeps_the_consumer_on_jetstream() {
    a_reload_without_a_change_keeps_the_consumer(&Broker::jetstream());
}

#[test]
fn a_reload_without_a_change_keeps_the_consumer_on_core_nats() {
    a_reload_without_a_change_keeps_the_consumer(&Broker::core_nats());
}

/// Each user has an account, and an account its own buckets.
#[test]
fn changed_credentials_open_another_connection() {
    let (first, second) = (KeyPair::new_user(), KeyPair::new_user());
    let account = |name: &str, user: &KeyPair| {
        format!("{name} {{ jetstream: enabled, users: [{{ nkey: {} }}] }}", user.public_key())
    };
    let nats = Nats::start_with(&format!("accounts {{ {}, {} }}", account("ONE", &first), account("TWO", &second)));
    let folder = Folder::new();
    folder.write("app.wasm", wasm("keyvalue-conformance", 0));
    folder.write("user.nk", first.seed().unwrap());
    let run = || folder.run("app.wasm").args(["--keyvalue", &nats.url("b"), "--nats-nkey", "user.nk"]);
    let server = run().serve();
    let value = |server: &Server| get(server.address, "/value?key=a").status;
    assert_eq!(Client::connect(server.address).put("/value?key=a", "1").status, 200);
    reload(&server, "no component has changed");
    folder.write("user.nk", "no seed");
    refused(&server, "--nats-nkey: user.nk holds no seed of a user");
    assert_eq!(value(&server), 200);
    folder.write("user.nk", second.seed().unwrap());
    replaced(&server, "app");
    assert_eq!(value(&server), 404);
    let watching = run().args(["--watch"]).serve();
    assert_eq!(value(&watching), 404);
    folder.write("user.nk", first.seed().unwrap());
    eventually("the file is read again", || (value(&watching) == 200).then_some(()));
}

/// What a component reads once at its start is read again if the file has changed.
#[test]
fn a_changed_configuration_file_is_read_again() {
    let folder = Folder::new();
    folder.write("app.wasm", wasm("config-only", 0));
    folder.write("other.wasm", wasm("hello", 0));
    folder.write("values.toml", "A = \"1\"\n");
    folder.write(
        "tempo.toml",
        "name = \"app\"\n[component.app]\nsource = \"app.wasm\"\nroute = \"/*\"\nconfig-file = \"values.toml\"\n\
        [component.other]\nsource = \"other.wasm\"\nroute = \"/other\"\n",
    );
    let server = folder.run("").serve();
    assert_eq!(get(server.address, "/A").text(), "1\n");
    folder.write("values.toml", "A = \"second\"\n");
    replaced(&server, "app");
    assert_eq!(get(server.address, "/A").text(), "second\n");
    folder.write("values.toml", "A = \n");
    refused(&server, "values.toml:1:5: not valid TOML");
    assert_eq!(get(server.address, "/A").text(), "second\n");
    reload(&server, "not reloaded (SIGHUP)");
    let watched = folder.run("").args(["--watch"]);
    folder.write("values.toml", "A = \"3\"\n");
    let server = watched.serve();
    folder.write("values.toml", "A = \"fourth\"\n");
    eventually("the file is read again", || (get(server.address, "/A").text() == "fourth\n").then_some(()));
}

#[test]
fn a_consumer_that_a_reload_leaves_is_named() {
    let (broker, folder) = (Broker::file(), Folder::new());
    folder.write("app.wasm", wasm("messaging-conformance", 0));
    let text = |name: &str| {
        format!("name = \"app\"\n[component.{name}]\nsource = \"app.wasm\"\nroute = \"/*\"\nsubscribe = \"x.>\"\n")
    };
    folder.write("tempo.toml", text("a"));
    let server = folder.run("").args(["--messaging", &broker.url, "--keyvalue", &broker.keyvalue]).serve();
    folder.write("tempo.toml", text("b"));
    replaced(&server, "a, b");
    let line = server.log.wait_for("no component subscribes to the consumer app-a of default any more");
    assert!(line.contains("`tempo messages remove-consumer app-a --broker default` removes it"), "{line}");
    folder.write("app.wasm", wasm("messaging-conformance", 1));
    replaced(&server, "b");
    assert_eq!(server.log.count("no component subscribes"), 1);
}
