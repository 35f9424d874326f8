//! Messages of other clients with more headers than a component may receive: neither the guest nor the host must
//! process them.

use async_nats::{Client as NatsClient, HeaderMap};
use futures::StreamExt as _;
use tokio::runtime::Runtime;

use crate::support::admin::Admin;
use crate::support::messaging::{Broker, SOON, publish, seen, wait_done, wait_seen};
use crate::support::nats::Nats;
use crate::support::{Client, Run, Server, eventually};

const GUEST: &str = "messaging-conformance";

/// The maximum number of headers in a message of 1 MiB. Regression: one such message took 650 MiB and stopped the
/// runtime for 25 s.
const MAX_HEADERS: usize = 149_793;

/// The maximum number of headers in a message that a stream stores, which limits them to 64 KiB.
const MAX_STORED_HEADERS: usize = 7_500;

/// The allowed memory growth for several such messages, in bytes.
const MAX_GROWTH_BYTES: u64 = 400 << 20;

fn headers(count: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    (0..count).for_each(|number| headers.insert(format!("{number:x}").as_str(), ""));
    headers
}

/// A plain async-nats client, with its own runtime.
fn connect(nats: &Nats) -> (Runtime, NatsClient) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = runtime.block_on(async_nats::connect(nats.address.to_string())).unwrap();
    (runtime, client)
}

/// Publishes messages with these numbers of headers on `check.COUNT`.
fn publish_headers(broker: &Broker, counts: &[usize]) {
    let (runtime, client) = connect(broker.nats.as_ref().unwrap());
    runtime.block_on(async {
        for count in counts {
            let subject = format!("check.{count}");
            client.publish_with_headers(subject, headers(*count), "payload".into()).await.unwrap();
        }
        client.flush().await.unwrap();
    });
}

/// Returns the peak memory of the process, in bytes.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Handles the messages, and waits until the log has the outcome of all that are too large.
fn handle_all(broker: &Broker, many: usize, outcome: &str) -> Server {
    let server = broker.run(GUEST).args(["--subscribe", SOON, "--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&server);
    publish(server.address, "topic=check.before", "x");
    wait_done(server.address, "check.before", 1);
    let before = peak(&server);
    publish_headers(broker, &[99, 100, 101, many, many, many, many]);
    eventually("five refusals", || {
        let alive = admin.get("/livez");
        assert_eq!(alive.status, 200, "{}", alive.text());
        (server.log.count(outcome) >= 5).then_some(())
    });
    for count in [99, 100] {
        wait_seen(server.address, &format!("check.{count}"), 1);
    }
    assert!(seen(server.address, "check.101").is_empty() && seen(server.address, &format!("check.{many}")).is_empty());
    publish(server.address, "topic=check.after", "x");
    wait_done(server.address, "check.after", 1);
    let grown = peak(&server).saturating_sub(before);
    assert!(grown < MAX_GROWTH_BYTES, "{} MiB", grown >> 20);
    server
}

#[test]
fn a_stream_keeps_them_as_dead_letters() {
    let broker = Broker::jetstream();
    let server = handle_all(&broker, MAX_STORED_HEADERS, "goes to the dead letters");
    drop(server);
    let tool =
        |arguments: &[&str]| Run::tempo(["messages"]).args(arguments).args(["--messaging", &broker.url]).finish();
    let letters = tool(&["peek", "--dead-letter", "--json"]);
    let letters = letters.succeeded();
    let reason = format!("the message has {MAX_STORED_HEADERS} headers of ");
    assert_eq!(letters.lines().filter(|line| line.contains(&reason)).count(), 4, "{letters}");
    assert!(letters.contains("the message has 101 headers of "), "{letters}");
    // The remaining part of it is another message.
    let replayed = tool(&["replay", "--dead-letter", "1"]);
    assert!(replayed.code != Some(0) && replayed.stderr.contains("too many headers"), "{replayed:?}");
    tool(&["purge", "--dead-letter", "--all"]).succeeded();
}

#[test]
fn without_a_stream_they_are_lost_and_logged() {
    let server = handle_all(&Broker::core_nats(), MAX_HEADERS, "is dropped");
    server.log.wait_for("lost rejected messages: core NATS has no dead letters");
}

#[test]
fn as_answers_they_are_refused() {
    for broker in [Broker::core_nats(), Broker::jetstream()] {
        let (runtime, client) = connect(broker.nats.as_ref().unwrap());
        let mut questions = runtime.block_on(client.subscribe("ask.*")).unwrap();
        runtime.block_on(client.flush()).unwrap();
        runtime.spawn(async move {
            while let Some(question) = questions.next().await {
                let count = question.subject.strip_prefix("ask.").unwrap().parse().unwrap();
                client.publish_with_headers(question.reply.unwrap(), headers(count), "yes".into()).await.unwrap();
            }
        });
        let server = broker.serve(GUEST, SOON);
        let ask = |count: usize| Client::connect(server.address).post(&format!("/request?topic=ask.{count}"), "?");
        assert_eq!(ask(100).text(), "yes");
        for count in [101, MAX_HEADERS] {
            let refused = ask(count).text();
            assert!(refused.contains(&format!("the message has {count} headers of ")), "{refused}");
        }
        assert_eq!(ask(0).text(), "yes");
    }
}

/// Entries have headers too, which Tempo does not use.
#[test]
fn headers_of_entries_are_dropped() {
    let nats = Nats::start();
    let server = Run::guest("keyvalue-conformance").args(["--keyvalue", &nats.url("app")]).serve();
    let mut component = Client::connect(server.address);
    assert_eq!(component.put("/value?key=first", "x").status, 200);
    let before = peak(&server);
    let (runtime, client) = connect(&nats);
    runtime.block_on(async {
        let jetstream = async_nats::jetstream::new(client);
        // More than one fetch returns.
        for number in 0..20 {
            let published =
                jetstream.publish_with_headers(format!("$KV.app.{number}"), headers(MAX_STORED_HEADERS), "x".into());
            published.await.unwrap().await.unwrap();
        }
    });
    assert_eq!(component.get("/value?key=5").text(), "x");
    let keys = component.get("/keys?prefix=").text();
    assert_eq!(keys.lines().count(), 21, "{keys}");
    let grown = peak(&server).saturating_sub(before);
    assert!(grown < MAX_GROWTH_BYTES, "{} MiB", grown >> 20);
}
