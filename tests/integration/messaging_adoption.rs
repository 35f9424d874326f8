//! Existing consumers: a runtime adopts its predecessor's position, and does not start if it would skip messages or
//! receive those of another component.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::messaging::{Broker, done, publish, publish_many, wait_done};
use crate::support::{Finished, Run, Server, eventually};

const GUEST: &str = "messaging-conformance";

/// The number of messages pending for the consumer.
const WAITING: usize = 100;

fn stop(mut server: Server) {
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log.text());
}

/// Leaves a consumer of `check.>` with pending messages.
fn prepare(broker: &Broker) {
    stop(broker.serve(GUEST, "check.>"));
    let publisher = broker.run(GUEST).serve();
    publish_many(publisher.address, WAITING, "topic=check.many&act=count");
    stop(publisher);
}

fn refused(broker: &Broker, subscription: &str, parts: &[&str]) {
    let ended = broker.run(GUEST).args(["--subscribe", subscription]).finish();
    ended.failed_in_one_line(78, parts);
}

fn move_consumer(broker: &Broker, arguments: &[&str]) -> Finished {
    Run::tempo(["messages", "move"]).args(arguments).args(["--messaging", &broker.url]).finish()
}

fn a_mistyped_topic_skips_nothing(broker: &Broker) {
    prepare(broker);
    refused(
        broker,
        "chek.>",
        &["has the topics check.>, and the subscription has chek.>: 100 messages would be skipped", "--consumer"],
    );
    let server = broker.serve(GUEST, "check.>");
    wait_done(server.address, "check.many", WAITING);
    assert_eq!(done(server.address, "check.many"), WAITING);
}

fn an_operator_moves_what_a_subscription_may_not(broker: &Broker) {
    prepare(broker);
    let name = name();
    refused(broker, "check.few", &["check.few: 100 messages would be skipped", "tempo messages move"]);
    let moved = move_consumer(broker, &[&name, "--topics", "check.few"]);
    let expected = format!("moved {name}: topics check.>, 100 skipped\nnow {name}: topics check.few, 0 pending, ");
    assert!(moved.succeeded().starts_with(&expected), "{moved:?}");
    let server = broker.serve(GUEST, "check.few");
    publish(server.address, "topic=check.few&act=count", "");
    wait_done(server.address, "check.few", 1);
    assert_eq!(done(server.address, "check.many"), 0);
    stop(server);
    let moved = move_consumer(broker, &[&name, "--topics", "check.>", "--start", "1", "--to", "mine"]);
    assert!(moved.succeeded().contains("now mine: topics check.>, 10"), "{moved:?}");
    let server = broker.run(GUEST).args(["--subscribe", "check.>", "--consumer", "mine"]).serve();
    wait_done(server.address, "check.many", WAITING);
    stop(server);
    move_consumer(broker, &[&name]).failed_in_one_line(66, &["there is no consumer of that name"]);
    move_consumer(broker, &["mine", "--topics", "a..b"])
        .failed_in_one_line(64, &["--topics <TOPIC[,TOPIC]...>': a word between dots is empty"]);
}

fn remove_consumer(broker: &Broker, name: &str) -> Finished {
    Run::tempo(["messages", "remove-consumer", name, "--messaging", &broker.url]).finish()
}

fn a_consumer_is_removed_and_its_messages_stay(broker: &Broker) {
    prepare(broker);
    let name = name();
    let removed = eventually("nothing fetches", || {
        let removed = remove_consumer(broker, &name);
        (removed.code == Some(0)).then_some(removed)
    });
    assert!(removed.stdout.starts_with(&format!("removed {name}: topics check.>, 100 pending, ")), "{removed:?}");
    remove_consumer(broker, &name).failed_in_one_line(66, &["there is no consumer of that name"]);
    let server = broker.serve(GUEST, "check.>");
    wait_done(server.address, "check.many", WAITING);
}

#[test]
fn a_consumer_in_use_is_not_removed() {
    let broker = Broker::jetstream();
    let _server = broker.serve(GUEST, "check.>");
    remove_consumer(&broker, &name()).failed_in_one_line(69, &["a program fetches from the consumer; stop it first"]);
}

/// Returns the component's name, that of the file that the tests run.
fn name() -> String {
    crate::support::compiled(GUEST).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Returns the component as a file `app.bin` in a separate directory.
fn app(directory: &TempDir, service: &str) -> PathBuf {
    let path = directory.path().join(service);
    std::fs::create_dir(&path).unwrap();
    let file = path.join("app.bin");
    std::fs::copy(crate::support::compiled(GUEST), &file).unwrap();
    file
}

fn run(broker: &Broker, file: &Path, arguments: &[&str]) -> Run {
    let run = Run::file(file).env("TEMPO_KEY_FILE", crate::support::key());
    run.args(["--messaging", &broker.url, "--keyvalue", &broker.keyvalue]).args(arguments)
}

/// Two services with the same file name.
fn services_do_not_share_a_consumer_by_accident(broker: &Broker) {
    let directory = TempDir::new().unwrap();
    let (orders, billing) = (app(&directory, "orders"), app(&directory, "billing"));
    let subscribe = ["--subscribe", "check.orders.>"];
    stop(run(broker, &orders, &subscribe).serve());
    let subscribe = ["--subscribe", "check.billing.>"];
    let parts = ["the consumer app has the topics check.orders.>, and the subscription has check.billing.>"];
    run(broker, &billing, &subscribe).finish().failed_in_one_line(78, &parts);
    // With the name of its app, each has its own consumer. The existing one keeps its consumer.
    let publisher = broker.run(GUEST).serve();
    publish(publisher.address, "topic=check.orders.new&act=count", "");
    stop(publisher);
    let server = run(broker, &billing, &[subscribe[0], subscribe[1], "--app", "billing"]).serve();
    publish(server.address, "topic=check.billing.due&act=count", "");
    wait_done(server.address, "check.billing.due", 1);
    assert_eq!(done(server.address, "check.orders.new"), 0);
    stop(server);
    let server = run(broker, &orders, &["--subscribe", "check.orders.>", "--app", "orders"]).serve();
    wait_done(server.address, "check.orders.new", 1);
    server.log.wait_for("made before the app had a name");
    stop(server);
    let list = Run::tempo(["messages"]).args(["--messaging", &broker.url]).finish();
    let list = list.succeeded();
    assert!(list.contains("check.orders.>") && list.contains("billing-app"), "{list}");
    assert_eq!(list.lines().count(), 4, "{list}");
}

fn more_topics_and_other_options_are_updates(broker: &Broker) {
    prepare(broker);
    let server = broker.serve(GUEST, "check.>;ack-wait=1m");
    server.log.wait_for("ack-wait 30s is now 1m");
    stop(server);
    let server = broker.run(GUEST).args(["--subscribe", "check.>;ack-wait=1m", "--subscribe", "more.>"]).serve();
    server.log.wait_for("topics check.> is now check.>, more.>");
    wait_done(server.address, "check.many", WAITING);
}

/// Options that each runtime applies itself are stored with the consumer, so that a change is detected.
fn options_of_the_handling_are_updates(broker: &Broker) {
    stop(broker.serve(GUEST, "check.>"));
    let options = "check.>;max-in-flight=8;max-deliver=3;backoff=1s/90s;dead-letter=GRAVE";
    let server = broker.serve(GUEST, options);
    let line = server.log.wait_for("updated the consumer");
    for change in [
        "max-in-flight 32 is now 8",
        "max-deliver 5 is now 3",
        "backoff 1s/5s/30s/2m is now 1s/1m30s",
        "dead-letter default is now GRAVE",
    ] {
        assert!(line.contains(change), "{change}: {line}");
    }
    stop(server);
    let mut server = broker.serve(GUEST, options);
    server.signal(Signal::TERM);
    assert_eq!((server.exit_code(), server.log.count("updated the consumer")), (Some(0), 0), "{}", server.log.text());
    let server = broker.serve(GUEST, "check.>;max-in-flight=8");
    let line = server.log.wait_for("updated the consumer");
    assert!(line.contains("dead-letter GRAVE is now default") && !line.contains("max-in-flight"), "{line}");
}

macro_rules! on_brokers_that_keep {
    ($($test:ident),+ $(,)?) => {
        mod file {
            use crate::support::messaging::Broker;
            $(#[test] fn $test() { super::$test(&Broker::file()); })+
        }

        mod jetstream {
            use crate::support::messaging::Broker;
            $(#[test] fn $test() { super::$test(&Broker::jetstream()); })+
        }
    };
}

on_brokers_that_keep!(
    a_mistyped_topic_skips_nothing,
    an_operator_moves_what_a_subscription_may_not,
    a_consumer_is_removed_and_its_messages_stay,
    services_do_not_share_a_consumer_by_accident,
    more_topics_and_other_options_are_updates,
    options_of_the_handling_are_updates,
);

/// As in a rolling update: the old runtime runs while the new one starts.
#[test]
fn programs_that_run_with_other_settings_are_named() {
    let broker = Broker::jetstream();
    let old = broker.serve(GUEST, "check.>");
    let new = broker.serve(GUEST, "check.>;ack-wait=1m");
    new.log.wait_for("programs that run have other settings for this consumer");
    new.log.wait_for("ack-wait 30s is now 1m");
    // A replica of the new runtime changes nothing.
    let replica = broker.serve(GUEST, "check.>;ack-wait=1m");
    let warning = eventually("the old program looks at the consumer", || {
        publish(replica.address, "topic=check.one&act=count", "");
        (old.log.count("has changed it") > 0).then(|| old.log.wait_for("has changed it"))
    });
    assert!(warning.contains("ack-wait 30s is now 1m") && warning.contains("--consumer"), "{warning}");
    assert_eq!(old.log.count("has changed it"), 1, "{}", old.log.text());
    assert_eq!(replica.log.count("other settings"), 0, "{}", replica.log.text());
}

#[test]
fn programs_that_handle_messages_in_other_ways_are_named() {
    let broker = Broker::jetstream();
    let old = broker.serve(GUEST, "check.>");
    let new = broker.serve(GUEST, "check.>;max-in-flight=8;backoff=2s");
    new.log.wait_for("programs that run have other settings for this consumer");
    let warning = eventually("the old program looks at the consumer", || {
        publish(new.address, "topic=check.one&act=count", "");
        (old.log.count("has changed it") > 0).then(|| old.log.wait_for("has changed it"))
    });
    let changes = "max-in-flight 32 is now 8, backoff 1s/5s/30s/2m is now 2s";
    assert!(warning.contains(changes), "{warning}");
}

/// Core NATS does not list the members of a queue group.
#[test]
fn a_queue_group_is_named_at_the_start() {
    let broker = Broker::core_nats();
    let server = broker.run(GUEST).args(["--subscribe", "check.>;consumer=workers"]).serve();
    let line = server.log.wait_for("joined the queue group");
    assert!(line.contains("the queue group workers of NATS") && line.contains("--consumer"), "{line}");
}

/// A consumer of an earlier version, which recorded no owner.
#[test]
fn a_consumer_of_an_earlier_version_is_adopted_with_its_position() {
    let broker = Broker::jetstream();
    prepare(&broker);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = broker.nats.as_ref().unwrap().address.to_string();
    runtime.block_on(async {
        let jetstream = async_nats::jetstream::new(async_nats::connect(address).await.unwrap());
        let stream = jetstream.get_stream("EVENTS").await.unwrap();
        stream.delete_consumer(&name()).await.unwrap();
        let config = pull::Config {
            durable_name: Some(name()),
            ack_wait: Duration::from_secs(30),
            max_deliver: -1,
            filter_subjects: vec!["check.>".to_owned()],
            max_ack_pending: 65_536,
            metadata: [("tempo".to_owned(), "messaging".to_owned())].into(),
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.unwrap();
        let mut messages = futures::StreamExt::take(consumer.messages().await.unwrap(), WAITING - 1);
        while let Some(message) = futures::StreamExt::next(&mut messages).await {
            message.unwrap().double_ack().await.unwrap();
        }
    });
    let server = broker.serve(GUEST, "check.>");
    wait_done(server.address, "check.many", 1);
    let list = || {
        let ended = Run::tempo(["messages", "--json"]).args(["--messaging", &broker.url]).finish();
        let stream: serde_json::Value = serde_json::from_str(ended.succeeded()).unwrap();
        stream["consumers"][0].clone()
    };
    let consumer = eventually("all are handled", || {
        let consumer = list();
        (consumer["pending"] == 0 && consumer["in_flight"] == 0).then_some(consumer)
    });
    assert_eq!(consumer["owner"]["component"], name());
    assert_eq!(done(server.address, "check.many"), 1);
    assert_eq!(server.log.count("updated the consumer"), 0, "{}", server.log.text());
}
