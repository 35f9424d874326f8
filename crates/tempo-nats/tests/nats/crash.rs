//! The server is killed and started again while writers, counters and a watcher are at work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tempo_keyvalue::{Change, Condition, ErrorKind, KeyValueStore, Result};
use tokio::task::JoinSet;

use crate::support::{Server, eventually, open, open_with, soon};

/// How many writers there are, and how many counters.
const WRITERS: u64 = 4;

/// How much has to be done between two crashes.
const PROGRESS: u64 = 300;

/// Tells everybody when to stop, and how far they are.
#[derive(Default)]
struct Work {
    over: AtomicBool,
    done: AtomicU64,
}

impl Work {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    async fn progress(&self) {
        let start = self.done.load(Ordering::Relaxed);
        let enough = async || (self.done.load(Ordering::Relaxed) >= start + PROGRESS).then_some(());
        eventually("progress", enough).await;
    }
}

/// An error that a crash explains.
fn is_crash(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable)
}

/// Writes each key once, and remembers which were acknowledged.
async fn writer(store: Arc<dyn KeyValueStore>, work: Arc<Work>, name: u64) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if !work.goes_on() {
            break;
        }
        let value = format!("{name} wrote {n}");
        match store.set(&format!("w/{name}/{n}"), value.into(), None, Condition::Absent).await {
            Ok(_) => {
                acknowledged.push(n);
                work.count();
            }
            Err(error) => assert!(is_crash(error.kind()), "{error}"),
        }
    }
    acknowledged
}

/// The total, and the last step of each counter.
type Counts = (u64, BTreeMap<u64, u64>);

fn parse(value: &[u8]) -> Counts {
    let mut numbers = std::str::from_utf8(value).unwrap().split(' ').map(|number| number.parse::<u64>().unwrap());
    let total = numbers.next().unwrap();
    (total, (0..).zip(numbers).collect())
}

fn print((total, steps): &Counts) -> String {
    let steps: Vec<String> = (0..WRITERS).map(|name| steps.get(&name).copied().unwrap_or(0).to_string()).collect();
    format!("{total} {}", steps.join(" "))
}

/// Counts up by compare-and-swap. Each step carries its number, so that one whose answer was lost is recognised.
async fn counter(store: Arc<dyn KeyValueStore>, work: Arc<Work>, name: u64) -> u64 {
    let mut steps = 0;
    while work.goes_on() {
        let entry = match store.get("counter").await {
            Ok(entry) => entry,
            Err(error) if is_crash(error.kind()) => continue,
            Err(error) => panic!("{error}"),
        };
        let (condition, mut counts) = match entry {
            None => (Condition::Absent, Counts::default()),
            Some(entry) => (Condition::Version(entry.version), parse(&entry.value)),
        };
        if counts.1.get(&name).copied().unwrap_or(0) > steps {
            // It was done after all.
            steps += 1;
            continue;
        }
        counts.0 += 1;
        counts.1.insert(name, steps + 1);
        match store.set("counter", print(&counts).into(), None, condition).await {
            Ok(_) => {
                steps += 1;
                work.count();
            }
            Err(error) if error.kind() == ErrorKind::PreconditionFailed || is_crash(error.kind()) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // The last step may be one of those.
    let entry = eventually("an answer", async || store.get("counter").await.ok()).await;
    entry.map_or(0, |entry| parse(&entry.value).1.get(&name).copied().unwrap_or(0))
}

/// Follows every change until the key `end`: which keys each writer wrote, in which order, and where the counter was.
async fn watcher(mut changes: BoxStream<'static, Result<Change>>) -> (BTreeMap<u64, Vec<u64>>, u64) {
    let (mut written, mut total) = (BTreeMap::<u64, Vec<u64>>::new(), 0);
    loop {
        let Change::Set { key, value } = soon("a change", changes.next()).await.unwrap().unwrap() else {
            panic!("nothing was deleted")
        };
        match *key.split('/').collect::<Vec<_>>() {
            ["w", name, n] => {
                assert_eq!(value, format!("{name} wrote {n}"));
                written.entry(name.parse().unwrap()).or_default().push(n.parse().unwrap());
            }
            ["counter"] => {
                let now = parse(&value).0;
                assert!(now > total, "the counter went from {total} to {now}");
                total = now;
            }
            _ => return (written, total),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_crash_of_the_server() {
    // `cargo xtask test --slow` asks for more of it.
    let crashes = if std::env::var_os("TEMPO_TEST_SLOW").is_some() { 20 } else { 4 };
    let mut server = Server::start();
    let store = open(&server, "crash").await;
    let work = Arc::new(Work::default());
    let watched = tokio::spawn(watcher(store.watch().await.unwrap()));
    let (mut writers, mut counters) = (JoinSet::new(), JoinSet::new());
    for name in 0..WRITERS {
        let (store, work) = (store.clone(), work.clone());
        writers.spawn({
            let (store, work) = (store.clone(), work.clone());
            async move { (name, writer(store, work, name).await) }
        });
        counters.spawn(async move { counter(store, work, name).await });
    }
    for _ in 0..crashes {
        work.progress().await;
        server.kill();
        server.restart();
    }
    work.progress().await;
    work.over.store(true, Ordering::Relaxed);

    let steps: u64 = soon("the counters' end", counters.join_all()).await.into_iter().sum();
    let total = parse(&store.get("counter").await.unwrap().unwrap().value).0;
    assert_eq!(total, steps);
    let acknowledged: BTreeMap<u64, Vec<u64>> =
        soon("the writers' end", writers.join_all()).await.into_iter().collect();
    for (name, acknowledged) in &acknowledged {
        for n in acknowledged {
            let entry = store.get(&format!("w/{name}/{n}")).await.unwrap().expect("it was acknowledged");
            assert_eq!(entry.value, format!("{name} wrote {n}"));
        }
    }
    store.set("end", "".into(), None, Condition::Always).await.unwrap();
    let (reported, counted) = watched.await.unwrap();
    assert_eq!(counted, total);
    for (name, acknowledged) in &acknowledged {
        let reported = &reported[name];
        assert!(reported.is_sorted_by(|one, next| one < next), "out of order");
        assert!(acknowledged.iter().all(|n| reported.binary_search(n).is_ok()), "a change was not reported");
    }
}

#[tokio::test]
async fn a_store_without_its_server_says_so_and_comes_back() {
    let mut server = Server::start();
    let store = open(&server, "away").await;
    let version = store.set("k", "v".into(), None, Condition::Always).await.unwrap();
    let mut changes = store.watch().await.unwrap();
    server.kill();
    // The first may be sent before the loss is noticed.
    let unavailable = async || {
        let error = store.get("k").await.unwrap_err();
        assert!(is_crash(error.kind()) && !error.to_string().contains("127.0.0.1"), "{error}");
        (error.kind() == ErrorKind::Unavailable).then_some(())
    };
    eventually("the store is unavailable", unavailable).await;
    let error = store.set("k", "w".into(), None, Condition::Always).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(store.keys("", None, 9).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.watch().await.err().unwrap().kind(), ErrorKind::Unavailable);
    // A request that waits for the server gets its answer.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.get("k").await }
    });
    server.restart();
    if let Ok(entry) = waiting.await.unwrap() {
        assert_eq!(entry.unwrap().version, version);
    }
    // What another process changes while this one's watcher is still on its way back is reported.
    let other = open_with(&format!("nats://localhost:{}/away", server.port), &[]).await.unwrap();
    other.set("late", "v".into(), None, Condition::Always).await.unwrap();
    let change = soon("a change", changes.next()).await.unwrap().unwrap();
    assert_eq!(change, Change::Set { key: "late".into(), value: "v".into() });
    let entry = eventually("the store is back", async || store.get("k").await.ok()).await;
    assert_eq!(&*entry.unwrap().value, b"v", "a write that was refused was done after all");
}

#[tokio::test]
async fn a_life_ends_while_the_server_is_away_and_is_reported() {
    let mut server = Server::start();
    let store = open(&server, "lives").await;
    let mut changes = store.watch().await.unwrap();
    store.set("k", "v".into(), Some(Duration::from_secs(1)), Condition::Always).await.unwrap();
    let set = soon("a change", changes.next()).await.unwrap().unwrap();
    assert!(matches!(set, Change::Set { .. }));
    server.kill();
    server.restart();
    let deleted = soon("a change", changes.next()).await.unwrap().unwrap();
    assert_eq!(deleted, Change::Delete { key: "k".into() });
    assert_eq!(eventually("an answer", async || store.get("k").await.ok()).await, None);
}
