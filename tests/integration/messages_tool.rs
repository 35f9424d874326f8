//! `tempo messages`: listing brokers, and operations on dead letters.

use serde_json::Value;

use crate::apps::{app, manifest};
use crate::support::messaging::{Broker, publish, seen, wait_done, wait_seen};
use crate::support::{Finished, Run, Server, eventually};

const GUEST: &str = "messaging-conformance";

/// The consumer of [`GUEST`], by the name of its file.
const CONSUMER: &str = "test_messaging";

/// Two failed deliveries.
const TWO_DELIVERIES: &str = "check.>;backoff=100ms;max-deliver=2";

fn tool(broker: &Broker, arguments: &[&str]) -> Finished {
    Run::tempo(["messages"]).args(arguments).args(["--messaging", &broker.url]).finish()
}

fn lines(broker: &Broker, arguments: &[&str]) -> Vec<Value> {
    let ended = tool(broker, arguments);
    ended.succeeded().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn peek(broker: &Broker) -> Vec<Value> {
    lines(broker, &["peek", "--dead-letter", "--json"])
}

/// Returns the numbers of stored messages and of dead letters.
fn kept(broker: &Broker) -> (u64, u64) {
    let [stream] = &lines(broker, &["--json"])[..] else { panic!("not one stream") };
    (stream["messages"].as_u64().unwrap(), stream["dead_letters"].as_u64().unwrap())
}

/// Stops a runtime, as the tool requires for a `file:` broker.
fn stop(mut server: Server) {
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.exit_code(), Some(0), "{}", server.log.text());
}

/// Leaves three dead letters, the second with terminal escapes, and returns once no runtime runs.
fn create_dead_letters(broker: &Broker) {
    let server = broker.serve(GUEST, TWO_DELIVERIES);
    for (act, payload) in
        [("reject:no%20thanks", "first"), ("fail:as%20asked", "\u{1b}]0;title\u{7}"), ("panic", "third")]
    {
        let letters = server.log.count("dead letters");
        publish(server.address, &format!("topic=check.dead.{}&key=k&act={act}", letters + 1), payload);
        eventually("a dead letter", || (server.log.count("dead letters") > letters).then_some(()));
    }
    publish(server.address, "topic=check.good", "good");
    wait_done(server.address, "check.good", 1);
    stop(server);
}

fn dead_letters_are_shown_replayed_and_purged(broker: &Broker) {
    create_dead_letters(broker);
    let letters = peek(broker);
    let parts: Vec<_> = letters.iter().map(|letter| (letter["topic"].as_str().unwrap(), &letter["attempts"])).collect();
    let [one, two] = [Value::from(1), Value::from(2)];
    assert_eq!(parts, [("check.dead.1", &one), ("check.dead.2", &two), ("check.dead.3", &two)]);
    assert_eq!((&letters[0]["payload"], &letters[0]["key"]), (&"first".into(), &"k".into()));
    assert_eq!(letters[1]["payload"], "\u{1b}]0;title\u{7}");
    assert_eq!(kept(broker).1, 3);
    let text = tool(broker, &["peek", "--dead-letter"]).succeeded().to_owned();
    assert!(!text.contains(|character: char| character != '\n' && character.is_control()), "{text:?}");
    assert!(text.contains("check.dead.2") && text.contains("10 bytes, base64"), "{text}");

    let sequence = |index: usize| letters[index]["sequence"].to_string();
    assert_eq!(tool(broker, &["purge", "--dead-letter", &sequence(2)]).succeeded(), "purged 1\n");
    assert_eq!(tool(broker, &["replay", "--dead-letter", &sequence(0)]).succeeded(), "replayed 1\n");
    let left = peek(broker);
    assert_eq!(left, letters[1..2]);
    let gone = tool(broker, &["purge", "--dead-letter", &sequence(0)]);
    gone.failed_in_one_line(66, &["there is no dead letter"]);

    // A replayed message is delivered, and rejected, once more.
    let server = broker.serve(GUEST, TWO_DELIVERIES);
    let seen = wait_seen(server.address, "check.dead.1", 2);
    assert_eq!(seen.last().unwrap()["attempt"], 1);
    server.log.wait_for("topic=\"check.dead.1\"");
    stop(server);
    assert_eq!(peek(broker).len(), 2);
    assert_eq!(tool(broker, &["purge", "--dead-letter", "--all"]).succeeded(), "purged 2\n");
    assert_eq!(tool(broker, &["peek", "--dead-letter"]).succeeded(), "no dead letters\n");
    assert_eq!(kept(broker).1, 0);
}

#[test]
fn dead_letters_in_a_file() {
    dead_letters_are_shown_replayed_and_purged(&Broker::file());
}

#[test]
fn dead_letters_on_jetstream() {
    let broker = Broker::jetstream();
    dead_letters_are_shown_replayed_and_purged(&broker);
    // The stream still has the messages, which fail again: the three, and the copy of the first that was replayed.
    tool(&broker, &["move", CONSUMER, "--start", "all"]).succeeded();
    let server = broker.serve(GUEST, TWO_DELIVERIES);
    eventually("they are dead letters again", || (kept(&broker).1 == 4).then_some(()));
    stop(server);
}

/// While the runtimes run, and with their settings.
#[test]
fn a_running_consumer_is_listed() {
    let broker = Broker::jetstream();
    let server = broker.serve(GUEST, "check.>;max-in-flight=1;consumer=clerk");
    publish(server.address, "topic=check.slow&act=hang", "first");
    wait_seen(server.address, "check.slow", 1);
    publish(server.address, "topic=check.next", "second");
    let settings = format!("TEMPO_MESSAGING={}\n", broker.url);
    let consumer = eventually("one in flight", || {
        let ended = Run::tempo(["messages", "--json"]).with_file(".env", &settings).finish();
        let stream: Value = serde_json::from_str(ended.succeeded()).unwrap();
        assert_eq!((&stream["stream"], &stream["broker"]), (&"EVENTS".into(), &"default".into()));
        let [consumer] = &stream["consumers"].as_array().unwrap()[..] else { panic!("{stream}") };
        Some(consumer.clone()).filter(|consumer| consumer["pending"] == 1)
    });
    assert_eq!((&consumer["name"], &consumer["in_flight"]), (&"clerk".into(), &1.into()));
    let ended = Run::tempo(["messages"]).with_file("tempo.toml", format!("messaging = [\"{}\"]", broker.url)).finish();
    let text = ended.succeeded();
    assert!(
        text.starts_with("default: stream EVENTS, 2 messages, 0 dead letters\n") && text.contains("clerk"),
        "{text}"
    );
    assert!(seen(server.address, "check.next").is_empty());
}

#[test]
fn a_file_that_a_runtime_has_open_is_named() {
    let broker = Broker::file();
    let server = broker.serve(GUEST, "check.>");
    let move_topics = &["move", CONSUMER, "--topics", "other.>"];
    for arguments in [&["list"][..], &["peek", "--dead-letter"], &["purge", "--dead-letter", "--all"], move_topics] {
        tool(&broker, arguments).failed_in_one_line(69, &["messages.redb is open in another process"]);
    }
    stop(server);
    assert_eq!(kept(&broker), (0, 0));
    assert!(tool(&broker, move_topics).succeeded().contains("now test_messaging: topics other.>"));
}

#[test]
fn a_consumer_from_which_a_runtime_fetches_is_not_moved() {
    let broker = Broker::jetstream();
    let server = broker.serve(GUEST, "check.>");
    let moved = |change: &[&str]| tool(&broker, &[&["move", CONSUMER], change].concat());
    eventually("the runtime fetches", || (moved(&[]).code == Some(69)).then_some(()));
    let move_topics = &["--topics", "other.>"];
    for change in [move_topics, &["--start", "all"], &["--to", "other"]] {
        moved(change).failed_in_one_line(69, &["/EVENTS: a program fetches from the consumer; stop it first"]);
    }
    stop(server);
    eventually("the runtime has ended", || (moved(move_topics).code == Some(0)).then_some(()));
}

#[test]
fn what_keeps_nothing_is_named() {
    let nats = Broker::core_nats();
    for arguments in [&["list"][..], &["peek", "--dead-letter"], &["replay", "--dead-letter", "--all"]] {
        tool(&nats, arguments).failed_in_one_line(64, &["--messaging: nats://", "stores no messages"]);
        tool(&Broker::memory(), arguments)
            .failed_in_one_line(64, &["--messaging: memory: is in the memory of another process"]);
        tool(&Broker::file(), arguments).failed_in_one_line(66, &["messages.redb is not there"]);
        // Without configuration: the default location of `run`.
        Run::tempo(["messages"])
            .args(arguments)
            .finish()
            .failed_in_one_line(66, &[".tempo/messaging.redb is not there"]);
    }
    let settings = format!("TEMPO_MESSAGING={}\n", nats.url);
    let ended = Run::tempo(["messages"]).with_file(".env", settings).finish();
    ended.failed_in_one_line(78, &["TEMPO_MESSAGING: nats://", "(.env:1)"]);
}

/// The tool reads the settings of each component.
#[test]
fn the_brokers_of_an_app_name_their_components() {
    let shared = "messaging = \"file:shared.redb\"";
    let text = manifest(
        "",
        &[
            ("api", "orders", &format!("route = \"/*\"\n{shared}")),
            (
                "lone",
                "orders",
                "route = \"lone.test/*\"\nmessaging = { b = \"file:lone.redb\", default = \"file:l.redb\" }",
            ),
            ("plain", "hello", "route = \"plain.test/*\""),
            ("worker", "orders", &format!("subscribe = \"orders.>\"\n{shared}")),
        ],
    );
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("tempo.toml"), &text).unwrap();
    stop(app(&text).within(folder.path()).serve());
    let messages = |arguments: &[&str]| Run::tempo(["messages"]).args(arguments).within(folder.path()).finish();
    let all = messages(&["--json"]);
    let lines: Vec<Value> = all.succeeded().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = lines.iter().map(|line| (line["broker"].as_str().unwrap(), &line["components"])).collect();
    let (of_lone, of_both) = (Value::from(vec!["lone"]), Value::from(vec!["api", "worker"]));
    assert_eq!(shown, [("b", &of_lone), ("default", &of_both), ("default", &of_lone)]);
    assert_eq!(lines[1]["consumers"][0]["name"], "app-worker");
    let text = messages(&["list", "--component", "worker"]);
    assert!(text.succeeded().starts_with("default of worker: stream "), "{text:?}");
    assert_eq!(messages(&["peek", "--dead-letter", "--component", "api"]).succeeded(), "no dead letters\n");
    messages(&["peek", "--dead-letter"]).failed_in_one_line(
        64,
        &["Name a component with --component NAME; there are: default of api, worker; default of lone"],
    );
    messages(&["--component", "absent"])
        .failed_in_one_line(64, &["the app has no component of that name; it has api, lone,"]);
    let alone = Run::tempo(["messages", "--component", "a"]).finish();
    alone.failed_in_one_line(64, &["--component: the settings file declares no app"]);
}
