//! Dispositions of messages: failures next to successes, dead letters, several consumers, order.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::h2::block_on;
use crate::support::messaging::{
    Broker, SOON, attempts, on_each_broker, publish, publish_many, seen, wait_done, wait_seen,
};
use crate::support::{Client, Run, Server, eventually, get};

on_each_broker!(
    a_handler_that_takes_too_long_is_tried_again_and_then_given_up,
    a_message_that_is_given_up_is_given_up_with_its_reason,
    each_consumer_has_every_message,
    messages_of_one_key_are_handled_in_their_order,
    clients_are_what_their_names_say,
);

const GUEST: &str = "messaging-conformance";

fn hangs(broker: &Broker) -> Server {
    let limits = ["--request-timeout", "8s", "--cpu-timeout", "2s"];
    broker.run(GUEST).args(["--subscribe", "check.>;backoff=100ms;max-deliver=2"]).args(limits).serve()
}

fn a_handler_that_takes_too_long_is_tried_again_and_then_given_up(broker: &Broker) {
    let server = hangs(broker);
    for act in ["hang", "spin", "panic"] {
        publish(server.address, &format!("topic=check.bad.{act}&act={act}"), "poison");
    }
    publish_many(server.address, 50, "topic=check.good&act=sleep:10");
    wait_done(server.address, "check.good", 50);
    for act in ["hang", "spin", "panic"] {
        let topic = format!("check.bad.{act}");
        server.log.wait_for(&format!("topic=\"{topic}\""));
        assert_eq!(attempts(&wait_seen(server.address, &topic, 2)), [1, 2], "{act}");
    }
    let good = seen(server.address, "check.good");
    assert_eq!(attempts(&good), [1; 50], "the neighbours were handled once");
    assert_eq!(get(server.address, "/checks").status, 200);
}

/// Returns the log line of a dead letter.
fn given_up(server: &Server, topic: &str) -> String {
    let line = server.log.wait_for(&format!("topic=\"{topic}\""));
    assert!(line.contains("dead letters"), "{line}");
    line
}

fn a_message_that_is_given_up_is_given_up_with_its_reason(broker: &Broker) {
    let server = broker.serve(GUEST, SOON);
    for (name, act, reason, times) in [
        ("rejected", "reject:not%20today", "not today", 1),
        ("failed", "fail:as%20asked", "delivered 3 times", 3),
        ("trapped", "panic", "trapped", 3),
    ] {
        let topic = format!("check.{name}");
        publish(server.address, &format!("topic={topic}&act={act}"), name);
        let line = given_up(&server, &topic);
        assert!(line.contains(reason), "{line}");
        assert_eq!(attempts(&seen(server.address, &topic)), (1..=times).collect::<Vec<u64>>());
    }
}

/// Each consumer receives every message once, and a failure in one causes no redelivery in the other.
fn each_consumer_has_every_message(broker: &Broker) {
    consumers(broker, &[1, 1, 2, 2]);
}

fn consumers(broker: &Broker, twice: &[u64]) {
    let run = broker.run(GUEST).args(["--subscribe", "check.>;consumer=one;backoff=100ms"]);
    let server = run.args(["--subscribe", "check.*;consumer=other;backoff=100ms"]).serve();
    server.log.wait_for("as consumer one");
    server.log.wait_for("as consumer other");
    publish(server.address, "topic=check.both", "both");
    publish(server.address, "topic=check.only.one", "one");
    publish(server.address, "topic=check.again&act=retry:0,ack", "again");
    assert_eq!(attempts(&wait_seen(server.address, "check.both", 2)), [1, 1]);
    assert_eq!(attempts(&wait_seen(server.address, "check.only.one", 1)), [1]);
    let mut again = attempts(&wait_seen(server.address, "check.again", twice.len()));
    again.sort_unstable();
    assert_eq!(again, twice);
    assert_eq!(seen(server.address, "check.both").len(), 2);
}

#[test]
fn each_consumer_on_core_nats_has_every_message_once() {
    consumers(&Broker::core_nats(), &[1, 1]);
}

/// Returns the payloads of the handled messages, by key.
fn by_key(seen: &[Value]) -> BTreeMap<&str, Vec<(u64, u64)>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for seen in seen {
        let number = seen["payload"]["text"].as_str().unwrap().parse().unwrap();
        by_key.entry(seen["key"].as_str().unwrap()).or_default().push((number, seen["attempt"].as_u64().unwrap()));
    }
    by_key
}

/// Even if each first attempt fails: the second one precedes the next message of that key.
fn messages_of_one_key_are_handled_in_their_order(broker: &Broker) {
    let server = broker.serve(GUEST, "check.>;ordered;backoff=10ms");
    server.log.wait_for("in order");
    publish_many(server.address, 200, "topic=check.ordered&keys=5");
    publish_many(server.address, 50, "topic=check.failing&keys=5&act=retry:0,ack");
    wait_done(server.address, "check.ordered", 200);
    wait_done(server.address, "check.failing", 50);
    let all = seen(server.address, "check.ordered");
    for (key, order) in by_key(&all) {
        assert_eq!(order.len(), 40, "{key}");
        assert!(order.is_sorted(), "{key}: {order:?}");
    }
    let all = seen(server.address, "check.failing");
    for (key, order) in by_key(&all) {
        assert_eq!(order.len(), 20, "{key}");
        assert!(order.is_sorted(), "{key}: {order:?}");
    }
}

fn clients_are_what_their_names_say(broker: &Broker) {
    let other = match broker.nats.as_ref() {
        Some(nats) => nats.url("OTHER"),
        None => "memory:other".to_owned(),
    };
    let messaging = ["--messaging", &format!("default={}", broker.url), "--messaging", &format!("other={other}")];
    let server = Run::guest(GUEST)
        .args(messaging)
        .args(["--keyvalue", &broker.keyvalue, "--subscribe", "check.>", "--subscribe", "other=check-other.>"])
        .serve();
    server.log.wait_for("of default");
    server.log.wait_for("of other");
    publish(server.address, "topic=check.a", "default");
    publish(server.address, "topic=check-other.a&client=other", "other");
    assert_eq!(wait_seen(server.address, "check.a", 1)[0]["payload"]["text"], "default");
    assert_eq!(wait_seen(server.address, "check-other.a", 1)[0]["payload"]["text"], "other");
    // The reply goes to the client of the request, whichever client the handler names.
    let mut client = Client::connect(server.address);
    let answer = client.post("/request?topic=check-other.q&client=other&act=reply", "asked");
    assert_eq!((answer.status, answer.text().as_str()), (200, "asked"));
}

/// A dead letter contains the whole message and the reason.
#[test]
fn a_dead_letter_of_jetstream_is_whole() {
    let broker = Broker::jetstream();
    let server = broker.serve(GUEST, SOON);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [format!("traceparent: {traceparent}"), "x-a: 1".to_owned(), "Content-Length: 7".to_owned()];
    let mut client = Client::connect(server.address);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    client.start("POST", "/publish?topic=check.dead&key=k&act=reject:not%20today", &headers);
    client.send("payload");
    assert_eq!(client.response().status, 200);
    given_up(&server, "check.dead");
    let url = format!("nats://{}", broker.nats.as_ref().unwrap().address);
    // The log line precedes the dead letter.
    let letter = eventually("a dead letter", || block_on(first_letter(&url)));
    assert_eq!(letter.subject.as_str(), "dead.EVENTS.check.dead");
    assert_eq!(&*letter.payload, b"payload");
    for (name, value) in [
        ("traceparent", traceparent),
        ("x-a", "1"),
        ("Tempo-Key", "k"),
        ("Tempo-Dead-Reason", "not today"),
        ("Tempo-Dead-Attempts", "1"),
        ("Tempo-Dead-Topic", "check.dead"),
        ("Tempo-Dead-Consumer", "test_messaging"),
    ] {
        assert_eq!(letter.headers.get(name).map(|value| value.as_str()), Some(value), "{name}");
    }
}

async fn first_letter(url: &str) -> Option<async_nats::jetstream::message::StreamMessage> {
    let client = async_nats::connect(url).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("EVENTS-DEAD").await.ok()?;
    stream.get_raw_message(1).await.ok()
}
