//! Runtimes that stop and start: accepted messages are handled by the running ones.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::messaging::{Broker, done, publish, publish_many, seen, wait_done, wait_seen};
use crate::support::{Client, Process, Run, eventually, get};

const GUEST: &str = "messaging-conformance";

/// Unacknowledged deliveries are redelivered soon.
const SHORT: &str = "check.>;ack-wait=2s;backoff=100ms";

fn durable() -> [Broker; 2] {
    [Broker::file(), Broker::jetstream()]
}

/// Calls that are running at the signal complete, and messages whose calls have not started are returned: nothing is
/// handled twice.
#[test]
fn a_runtime_that_drains_loses_nothing() {
    for broker in durable() {
        let mut server = broker.serve(GUEST, SHORT);
        publish_many(server.address, 200, "topic=check.drain&act=sleep:200");
        wait_done(server.address, "check.drain", 40);
        server.signal(Signal::TERM);
        assert_eq!(server.exit_code(), Some(0), "on {}", broker.url);
        assert_eq!(server.log.count("error"), 0, "{}", server.log.text());
        drop(server);
        let server = broker.serve(GUEST, SHORT);
        let before = done(server.address, "check.drain");
        assert!(before >= 40, "{before}");
        wait_done(server.address, "check.drain", 200);
        publish(server.address, "topic=check.after", "");
        wait_seen(server.address, "check.after", 1);
        assert_eq!(done(server.address, "check.drain"), 200, "on {}", broker.url);
        let again = seen(server.address, "check.drain").iter().filter(|seen| seen["attempt"] != 1).count();
        assert!(again <= 32, "{again} were given back and delivered again, on {}", broker.url);
    }
}

#[test]
fn a_runtime_that_is_killed_loses_nothing() {
    for broker in durable() {
        let mut server = broker.serve(GUEST, SHORT);
        publish_many(server.address, 200, "topic=check.killed&act=sleep:50");
        publish(server.address, "topic=check.waiting&act=retry:3000,ack", "");
        wait_seen(server.address, "check.waiting", 1);
        wait_done(server.address, "check.killed", 20);
        server.signal(Signal::KILL);
        assert_eq!(server.exit_code(), None);
        drop(server);
        let server = broker.serve(GUEST, SHORT);
        wait_done(server.address, "check.killed", 200);
        let all = wait_seen(server.address, "check.killed", 200);
        let mut times = BTreeMap::<u64, u64>::new();
        for seen in &all {
            let number = seen["payload"]["text"].as_str().unwrap().parse().unwrap();
            *times.entry(number).or_default() += 1;
        }
        assert_eq!(times.len(), 200, "every message came, on {}", broker.url);
        assert!(times.values().all(|times| *times <= 2), "{times:?}");
        let waiting = wait_seen(server.address, "check.waiting", 2);
        assert_eq!(waiting[1]["attempt"], 2, "the count of attempts outlives the runtime, on {}", broker.url);
    }
}

/// Unhandled messages wait for the next runtime.
#[test]
fn messages_wait_for_their_handler() {
    for broker in durable() {
        // The consumer exists from its first start.
        drop(broker.serve(GUEST, SHORT));
        let server = broker.run(GUEST).serve();
        server.log.wait_for("has no subscription");
        publish_many(server.address, 20, "topic=check.later");
        assert_eq!(seen(server.address, "check.later").len(), 0);
        drop(server);
        let server = broker.serve(GUEST, SHORT);
        assert_eq!(wait_seen(server.address, "check.later", 20).len(), 20, "on {}", broker.url);
    }
}

/// Returns the completed work, with the number of times.
fn work(broker: &Broker) -> BTreeMap<String, u64> {
    let server = Run::guest("keyvalue-conformance").args(["--keyvalue", &broker.keyvalue]).serve();
    let keys = get(server.address, "/keys?prefix=work/").text();
    let mut client = Client::connect(server.address);
    let mut count = |key: &str| client.get(&format!("/value?key={key}")).text().parse().unwrap();
    keys.lines().map(|key| (key.to_owned(), count(key))).collect()
}

/// Returns the number of messages that a worker has started to handle.
fn begun(worker: &Process) -> usize {
    worker.log.count("begins ")
}

#[test]
fn workers_share_a_stream_and_take_over_from_one_that_dies() {
    let broker = Broker::jetstream();
    let subscription = "check.>;consumer=workers;ack-wait=2s;max-in-flight=8";
    let workers: Vec<Process> = (0..3).map(|_| broker.worker(subscription).work()).collect();
    let publisher = broker.run(GUEST).serve();
    publish_many(publisher.address, 300, "topic=check.work&sleep-ms=5");
    eventually("all is done", || (workers.iter().map(begun).sum::<usize>() >= 300).then_some(()));
    for worker in &workers {
        assert!(begun(worker) > 0, "each of them works");
    }
    // More messages, some of which are in flight in a worker that crashes.
    publish_many(publisher.address, 300, "topic=check.more&sleep-ms=100");
    let before = begun(&workers[0]);
    eventually("the first one works on", || (begun(&workers[0]) > before).then_some(()));
    workers[0].signal(Signal::KILL);
    eventually("all work is done", || {
        let work = work(&broker);
        (work.len() == 300 && work.values().sum::<u64>() >= 600).then_some(())
    });
    for worker in &workers[1..] {
        worker.signal(Signal::TERM);
    }
    for mut worker in workers.into_iter().skip(1) {
        assert_eq!(worker.exit_code(), Some(0));
    }
}

/// HTTP continues during `--shutdown-delay`, but messages are left to the other runtimes.
#[test]
fn a_worker_that_drains_leaves_messages_to_others() {
    let broker = Broker::jetstream();
    let subscription = "check.>;consumer=workers;ack-wait=2s";
    let mut stopping = broker.worker(subscription).args(["--shutdown-delay", "10m"]).work();
    let publisher = broker.run(GUEST).serve();
    publish_many(publisher.address, 1, "topic=check.work");
    eventually("it works", || (begun(&stopping) == 1).then_some(()));
    stopping.signal(Signal::TERM);
    stopping.log.wait_for("still serving for 600s");
    publish_many(publisher.address, 50, "topic=check.work");
    let other = broker.worker(subscription).work();
    eventually("the other has them all", || (begun(&other) >= 50).then_some(()));
    assert_eq!(begun(&stopping), 1);
    stopping.signal(Signal::TERM);
    assert_eq!(stopping.exit_code(), Some(143), "a second signal ends it at once");
}

#[test]
fn workers_share_the_messages_of_core_nats() {
    let broker = Broker::core_nats();
    let workers: Vec<Process> = (0..2).map(|_| broker.worker("check.>;consumer=workers").work()).collect();
    for worker in &workers {
        worker.log.wait_for("at most once");
    }
    let publisher = broker.run(GUEST).serve();
    publish_many(publisher.address, 200, "topic=check.work");
    eventually("all is done", || (workers.iter().map(begun).sum::<usize>() >= 200).then_some(()));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(workers.iter().map(begun).sum::<usize>(), 200, "each message went to one of them");
    for worker in &workers {
        assert!(begun(worker) > 0, "each of them works");
    }
}

/// A worker without a listener drains as a server does.
#[test]
fn a_worker_drains() {
    for broker in durable() {
        let mut worker = broker.worker("check.>").work();
        worker.signal(Signal::TERM);
        assert_eq!(worker.exit_code(), Some(0), "{}", worker.log.text());
    }
}
