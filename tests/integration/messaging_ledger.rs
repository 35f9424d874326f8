//! No accepted message is lost under faults: a publisher records the accepted messages, handlers record the handled
//! ones, and the test compares both. The counts are printed.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::cluster::Cluster;
use crate::support::message_ledger::{Outcome, Published};
use crate::support::nats::Nats;
use crate::support::proxy::{Fault, Proxy};
use crate::support::publisher::{BUCKET, Publisher, STREAM};
use crate::support::witness::Witness;
use crate::support::{Client, Process, Run, eventually, slow};

/// The consumers of ordered and of unordered keys.
const CONSUMERS: [&str; 2] = ["ordered", "any"];

/// A delivery is redelivered after a second, and no message becomes a dead letter.
const OPTIONS: &str = "ack-wait=1s;backoff=100ms;max-deliver=10000";

/// The number of concurrent clients.
const CLIENTS: usize = 4;

/// A runtime that handles messages of these servers.
fn worker(servers: &str) -> Process {
    let run = Run::worker("messaging-ledger").args(["--messaging", &format!("nats://{servers}/{STREAM}")]);
    let run = run.args(["--keyvalue", &format!("nats://{servers}/{BUCKET}")]);
    let run = run.args(["--subscribe", &format!("ledger.any.>;consumer=any;{OPTIONS}")]);
    run.args(["--subscribe", &format!("ledger.ordered.>;consumer=ordered;ordered;{OPTIONS}")]).work()
}

/// Returns the number of messages before the fault of this round. Some faults happen early, some late.
fn some(round: usize) -> usize {
    20 + round * 37 % 150
}

fn compare(what: &str, servers: &str, published: &Published) -> Outcome {
    Witness::of(servers).compare(what, published, &CONSUMERS)
}

#[test]
fn the_server_is_killed() {
    let rounds = if slow() { 20 } else { 3 };
    let mut nats = Nats::start();
    let servers = nats.address.to_string();
    let publisher = Publisher::start(&servers, 1);
    let _workers = [worker(&servers), worker(&servers)];
    for round in 0..rounds {
        publisher.wait_for_accepted(some(round));
        nats.crash_and_restart();
    }
    publisher.wait_for_accepted(some(rounds));
    let outcome = compare(&format!("{rounds} crashes of the server"), &servers, &publisher.stop());
    // The server has lost the deliveries that it had not persisted.
    outcome.is_sound();
}

#[test]
fn one_of_three_workers_is_killed() {
    let rounds = if slow() { 20 } else { 3 };
    let nats = Nats::start();
    let servers = nats.address.to_string();
    let publisher = Publisher::start(&servers, 1);
    let mut workers = [worker(&servers), worker(&servers), worker(&servers)];
    for round in 0..rounds {
        publisher.wait_for_accepted(some(round));
        let killed = &mut workers[round % 3];
        if round % 2 == 1 {
            // Stopped first, so that the server delivers messages that it never reads.
            killed.signal(Signal::STOP);
            publisher.wait_for_accepted(some(round));
        }
        killed.signal(Signal::KILL);
        assert_eq!(killed.exit_code(), None, "ended by the signal");
        publisher.wait_for_accepted(some(round));
        *killed = worker(&servers);
    }
    publisher.wait_for_accepted(some(rounds));
    let outcome = compare(&format!("{rounds} crashes of a worker"), &servers, &publisher.stop());
    outcome.is_exact();
    assert!(outcome.redelivered > 0, "what a worker was given went to others");
}

#[test]
fn the_server_stands_still() {
    let seconds: &[u64] = if slow() { &[5, 30] } else { &[5] };
    let nats = Nats::start();
    let servers = nats.address.to_string();
    let publisher = Publisher::start(&servers, 1);
    let _workers = [worker(&servers), worker(&servers)];
    for (round, seconds) in seconds.iter().enumerate() {
        publisher.wait_for_accepted(some(round));
        nats.signal(Signal::STOP);
        thread::sleep(Duration::from_secs(*seconds));
        nats.signal(Signal::CONT);
        publisher.wait_for_accepted(some(round));
    }
    compare(&format!("stops of the server, of {seconds:?} s"), &servers, &publisher.stop()).is_exact();
}

#[test]
fn the_connection_is_bad() {
    let rounds = if slow() { 20 } else { 3 };
    let nats = Nats::start();
    let servers = nats.address.to_string();
    let proxies = [Proxy::to(nats.address), Proxy::to(nats.address)];
    let publisher = Publisher::start(&servers, 1);
    let _workers = [worker(&proxies[0].address.to_string()), worker(&proxies[1].address.to_string())];
    for round in 0..rounds {
        let proxy = &proxies[round % 2];
        publisher.wait_for_accepted(some(round));
        proxy.set(Fault::Delay(Duration::from_millis(20)));
        publisher.wait_for_accepted(some(round));
        let cuts = proxy.cuts();
        proxy.set(Fault::Cut);
        eventually("a connection is cut", || (proxy.cuts() > cuts).then_some(()));
        proxy.set(Fault::None);
        publisher.wait_for_accepted(some(round));
        proxy.set(Fault::HalfOpen);
        thread::sleep(Duration::from_secs(2));
        proxy.set(Fault::None);
        proxy.reset();
    }
    publisher.wait_for_accepted(some(rounds));
    let what = format!("{rounds} times a connection that delays, is cut and half open");
    compare(&what, &servers, &publisher.stop()).is_exact();
}

#[test]
fn the_leader_of_a_cluster_is_killed() {
    let rounds = if slow() { 10 } else { 2 };
    let mut cluster = Cluster::start();
    let servers = cluster.addresses();
    let publisher = Publisher::start(&servers, 3);
    let witness = Witness::of(&servers);
    let _workers = [worker(&servers), worker(&servers)];
    assert_eq!(witness.replicas_of_dead_letters(), 3, "as many as the stream has");
    for round in 0..rounds {
        publisher.wait_for_accepted(some(round));
        let leader = witness.leader();
        cluster.kill(&leader);
        witness.leader_after(&leader);
        publisher.wait_for_accepted(some(round));
        cluster.restart(&leader);
    }
    publisher.wait_for_accepted(some(rounds));
    let outcome = witness.compare(&format!("{rounds} crashes of the leader"), &publisher.stop(), &CONSUMERS);
    // The next leader may not have replicated a delivery.
    outcome.is_sound();
}

/// The same with a guest that publishes: a 202 response means that the order was accepted.
#[test]
fn an_order_that_was_accepted_is_kept() {
    let rounds = if slow() { 20 } else { 2 };
    let mut nats = Nats::start();
    let urls = ["--messaging", &nats.url("ORDERS"), "--keyvalue", &nats.url("orders")];
    let server = Run::guest("orders").args(urls).args(["--subscribe", &format!("orders.>;{OPTIONS}")]).serve();
    let (accepted, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (accepted, stop, address) = (&accepted, &stop, server.address);
            scope.spawn(move || order(client, address, accepted, stop));
        }
        for round in 0..=rounds {
            let enough = accepted.lock().unwrap().len() + some(round);
            eventually("orders are accepted", || (accepted.lock().unwrap().len() >= enough).then_some(()));
            if round < rounds {
                nats.crash_and_restart();
            }
        }
        stop.store(true, SeqCst);
    });
    let accepted = accepted.into_inner().unwrap();
    let mut client = Client::connect(server.address);
    let mut handled = 0;
    for id in &accepted {
        let order = eventually(&format!("order {id} is kept"), || {
            let response = client.get(&format!("/orders/{id}"));
            (response.status == 200).then(|| response.text())
        });
        handled += serde_json::from_str::<serde_json::Value>(&order).unwrap()["handled"].as_u64().unwrap();
    }
    let published = accepted.len();
    eprintln!("{rounds} crashes under orders: accepted and kept {published}, handled {handled} times");
}

/// Sends orders until `stop` is set.
fn order(client: usize, address: SocketAddr, accepted: &Mutex<Vec<String>>, stop: &AtomicBool) {
    let mut connection = Client::connect(address);
    for number in 0.. {
        if stop.load(SeqCst) {
            return;
        }
        let id = format!("{client}-{number}");
        let order = format!(r#"{{"id": "{id}", "customer": "{client}", "item": "tea", "quantity": 1}}"#);
        match connection.post("/orders", order).status {
            202 => accepted.lock().unwrap().push(id),
            // The server is unreachable. Whether the order was accepted is unknown.
            503 => thread::sleep(Duration::from_millis(20)),
            status => panic!("{status}"),
        }
    }
}

/// Tests the comparison, with a handler that loses a message.
#[test]
fn a_message_that_is_lost_on_purpose_is_found() {
    let nats = Nats::start();
    let servers = nats.address.to_string();
    let publisher = Publisher::start(&servers, 1);
    publisher.wait_for_accepted(200);
    let published = publisher.stop();
    let lost = published.keys().nth(published.len() / 2).unwrap().clone();
    let witness = Witness::of(&servers);
    witness.handle("native", |id| *id != lost);
    let outcome = witness.compare("one lost on purpose", &published, &["native"]);
    assert_eq!(outcome.lost, [lost]);
}
