//! The server is killed and started again while messages are published and handled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempo_messaging::{Broker, Consumer, Delivery, ErrorKind};
use tokio::task::JoinSet;

use super::{message, open, subscription, text};
use crate::support::{PATIENCE, Server, eventually, soon};

/// How many publish, and how many handle.
const PUBLISHERS: u64 = 3;
const WORKERS: usize = 2;

/// How much has to be handled between two crashes.
const PROGRESS: u64 = 300;

/// How many publish at once, and one after the other.
const AT_ONCE: u64 = 20;

/// How many messages may wait to be handled.
const AHEAD: u64 = 1000;

/// What happened.
#[derive(Default)]
struct Ledger {
    over: AtomicBool,
    acknowledged: Mutex<BTreeSet<String>>,
    /// How often each message was handled to its end: its acknowledgement was acknowledged.
    handled: Mutex<BTreeMap<String, u64>>,
    rejected: Mutex<BTreeSet<String>>,
    done: AtomicU64,
}

/// Publishes several at a time, and one now and then, and remembers which were acknowledged.
async fn publisher(broker: Arc<dyn Broker>, ledger: Arc<Ledger>, name: u64) {
    for round in 0_u64.. {
        if ledger.over.load(Relaxed) {
            return;
        }
        // Who publishes is faster, and in the end all has to be handled.
        if ledger.acknowledged.lock().unwrap().len() as u64 > ledger.done.load(Relaxed) + AHEAD {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let count = if round.is_multiple_of(2) { AT_ONCE } else { 1 };
        let texts: Vec<String> = (0..count).map(|n| format!("{name}-{round}-{n}")).collect();
        let results = broker.publish(texts.iter().map(|text| message("a.b", text)).collect()).await;
        for (text, result) in texts.into_iter().zip(results) {
            match result {
                Ok(()) => assert!(ledger.acknowledged.lock().unwrap().insert(text)),
                Err(error) => assert!(is_crash(error.kind()), "{error}"),
            }
        }
    }
}

/// An error that a crash explains.
fn is_crash(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable)
}

/// Handles messages, several at once, and remembers which are done with.
async fn worker(mut consumer: Box<dyn Consumer>, ledger: Arc<Ledger>) {
    let mut handling = JoinSet::new();
    loop {
        while handling.len() >= 32 {
            handling.join_next().await.unwrap().unwrap();
        }
        while handling.try_join_next().is_some() {}
        for delivery in consumer.fetch(32 - handling.len()).await.unwrap() {
            handling.spawn(handle(delivery, ledger.clone()));
        }
    }
}

async fn handle(delivery: Delivery, ledger: Arc<Ledger>) {
    let text = text(&delivery).to_owned();
    // Some fail the first time, and some for ever.
    let number = delivery.sequence.unwrap();
    let result = if number.is_multiple_of(10) && delivery.attempt == 1 {
        return drop(delivery.receipt.retry(Duration::from_millis(50)).await);
    } else if number % 10 == 5 {
        delivery.receipt.reject("five").await.map(|()| {
            ledger.rejected.lock().unwrap().insert(text);
        })
    } else {
        delivery.receipt.ack().await.map(|()| *ledger.handled.lock().unwrap().entry(text).or_default() += 1)
    };
    match result {
        Ok(()) => drop(ledger.done.fetch_add(1, Relaxed)),
        // It comes again.
        Err(error) => assert!(is_crash(error.kind()), "{error}"),
    }
}

async fn progress(ledger: &Ledger) {
    let start = ledger.done.load(Relaxed);
    eventually("progress", async || (ledger.done.load(Relaxed) >= start + PROGRESS).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_that_was_acknowledged_is_handled() {
    // `cargo xtask test --slow` asks for more of it.
    let crashes = if std::env::var_os("TEMPO_TEST_SLOW").is_some() { 20 } else { 3 };
    let mut server = Server::start();
    let broker = open(&server, "/S").await;
    let ledger = Arc::new(Ledger::default());
    let wanted = subscription("c", &["a.*"]).with_ack_wait(Duration::from_secs(3));
    let (mut workers, mut publishers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..WORKERS {
        workers.spawn(worker(broker.subscribe(&wanted).await.unwrap(), ledger.clone()));
    }
    for name in 0..PUBLISHERS {
        publishers.spawn(publisher(broker.clone(), ledger.clone(), name));
    }
    for _ in 0..crashes {
        progress(&ledger).await;
        server.kill();
        server.restart();
    }
    progress(&ledger).await;
    ledger.over.store(true, Relaxed);
    soon("the publishers' end", publishers.join_all()).await;
    let lost = || {
        let (handled, rejected) = (ledger.handled.lock().unwrap(), ledger.rejected.lock().unwrap());
        let done = |text: &&String| handled.contains_key(*text) || rejected.contains(*text);
        ledger.acknowledged.lock().unwrap().iter().filter(|text| !done(text)).cloned().collect::<Vec<_>>()
    };
    let all = async {
        while !lost().is_empty() {
            assert!(workers.try_join_next().is_none(), "a worker has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        panic!("{:?} were acknowledged and never handled; {:?}", lost(), broker.operator().unwrap().stream().await);
    }
    let letters = broker.operator().unwrap().dead_letters(None, usize::MAX).await.unwrap();
    let letters: BTreeSet<_> = letters.iter().map(|letter| String::from_utf8_lossy(&letter.message.payload)).collect();
    let rejected = ledger.rejected.lock().unwrap();
    assert!(rejected.iter().all(|text| letters.contains(text.as_str())), "a dead letter was lost");
    let handled = ledger.handled.lock().unwrap();
    let repeated = handled.values().filter(|count| **count > 1).count();
    println!(
        "{crashes} crashes: {} acknowledged, 0 lost, {} handled, {repeated} of them again, {} rejected",
        ledger.acknowledged.lock().unwrap().len(),
        handled.len(),
        rejected.len()
    );
}
