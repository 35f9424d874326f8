//! What a store on NATS promises, asked of a real server.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, kv};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use tempo_keyvalue::{Change, Condition, Entry, ErrorKind, KeyValueStore};

use crate::support::{Server, eventually, open, open_with, soon};

/// Keys in which a server, a shell or a file system would see more than data.
const KEYS: &[&str] = &[
    "plain",
    "Plain",
    "a.b",
    "a/b",
    "a..b",
    ".a",
    "a.",
    ".",
    "..",
    "...",
    "../../etc/passwd",
    "*",
    ">",
    "a.*",
    "a.>",
    "=",
    "=2E",
    "a=2Eb",
    "$KV.other.key",
    " ",
    "a b",
    "\0",
    "\r\n",
    "ключ",
    "鍵 🔑",
    "e\u{301}",
    "\u{e9}",
    "_kv",
];

async fn value(store: &dyn KeyValueStore, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap().map(|entry| entry.value)
}

async fn put(store: &dyn KeyValueStore, key: &str, value: &str) -> u64 {
    store.set(key, value.to_owned().into(), None, Condition::Always).await.unwrap()
}

#[tokio::test]
async fn every_key_is_data() {
    let server = Server::start();
    let store = open(&server, "keys").await;
    let long = "é".repeat(256);
    let keys: Vec<&str> = KEYS.iter().copied().chain([long.as_str()]).collect();
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap(), None, "{key:?}");
        let version = put(&*store, key, key).await;
        let expected = Entry::new(Bytes::copy_from_slice(key.as_bytes()), version);
        assert_eq!(store.get(key).await.unwrap(), Some(expected), "{key:?}");
    }
    let mut sorted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    sorted.sort();
    assert_eq!(store.keys("", None, usize::MAX).await.unwrap(), sorted);
    for key in &keys {
        assert_eq!(value(&*store, key).await.as_deref(), Some(key.as_bytes()));
        store.delete(key).await.unwrap();
        assert_eq!(store.get(key).await.unwrap(), None, "{key:?}");
    }
    assert!(store.keys("", None, usize::MAX).await.unwrap().is_empty());
}

#[tokio::test]
async fn conditions_are_judged_by_the_server() {
    let server = Server::start();
    let store = open(&server, "conditions").await;
    let set = async |value: &'static str, ttl: Option<u64>, condition| {
        store.set("k", value.into(), ttl.map(Duration::from_secs), condition).await.map_err(|error| error.kind())
    };
    let failed = Err(ErrorKind::PreconditionFailed);
    assert_eq!(set("a", None, Condition::Version(0)).await, failed);
    assert_eq!(set("a", None, Condition::Version(7)).await, failed);
    let first = set("a", None, Condition::Absent).await.unwrap();
    assert_eq!(set("b", None, Condition::Absent).await, failed);
    let second = set("b", None, Condition::Version(first)).await.unwrap();
    assert_eq!(set("c", None, Condition::Version(first)).await, failed);
    assert_eq!(set("c", Some(60), Condition::Version(first)).await, failed);
    assert_eq!(value(&*store, "k").await.unwrap(), "b");
    store.delete("k").await.unwrap();
    store.delete("k").await.unwrap();
    // The markers of the deletions have the next two sequences, and are no versions.
    for version in [second, second + 1, second + 2] {
        assert_eq!(set("d", None, Condition::Version(version)).await, failed, "{version} after {second}");
    }
    assert_eq!(store.get("k").await.unwrap(), None);
    let third = set("d", Some(60), Condition::Absent).await.unwrap();
    assert!(third > second && second > first);
    assert_eq!(set("e", Some(60), Condition::Absent).await, failed);
    assert_eq!(value(&*store, "k").await.unwrap(), "d");
}

#[tokio::test]
async fn of_many_that_create_one_wins() {
    let server = Server::start();
    let store = open(&server, "race").await;
    for key in ["new", "deleted"] {
        if key == "deleted" {
            put(&*store, key, "old").await;
            store.delete(key).await.unwrap();
        }
        let attempts = (0..64).map(|n: u32| {
            let store = store.clone();
            async move { store.set(key, n.to_string().into(), None, Condition::Absent).await }
        });
        let results: Vec<_> = stream::iter(attempts).buffer_unordered(64).collect().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let precondition = |result: &&Result<u64, tempo_keyvalue::Error>| {
            result.as_ref().is_err_and(|error| error.kind() == ErrorKind::PreconditionFailed)
        };
        assert_eq!(results.iter().filter(precondition).count(), 63);
    }
}

/// Values may be large, and a watcher slow.
#[tokio::test]
async fn a_watcher_has_few_bytes_sent_ahead() {
    const VALUE: usize = 128 << 10;
    let server = Server::with("jetstream {}, max_payload: 8MB");
    let store = open(&server, "ahead").await;
    let mut changes = store.watch().await.unwrap();
    let value = |number: u8| Bytes::from(vec![number; if number == 20 { 3 << 20 } else { VALUE }]);
    for number in 0..40 {
        store.set(&format!("k{number}"), value(number), None, Condition::Always).await.unwrap();
    }
    for number in 0..40 {
        let change = soon("the next change", changes.next()).await.unwrap().unwrap();
        assert!(change == Change::Set { key: format!("k{number}"), value: value(number) }, "{number}");
        if number == 0 {
            let client = async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap();
            let stream = jetstream::new(client).get_stream("KV_ahead").await.unwrap();
            let consumer = stream.consumers().next().await.unwrap().unwrap();
            let sent = consumer.delivered.consumer_sequence;
            assert!((1..=8).contains(&sent), "{sent} values are more than a mebibyte");
        }
    }
}

#[tokio::test]
async fn lives_end() {
    let server = Server::start();
    let store = open(&server, "lives").await;
    let mut changes = store.watch().await.unwrap();
    let life = Duration::from_millis(900);
    let (begun, second) = (Instant::now(), Some(life));
    store.set("short", "v".into(), second, Condition::Absent).await.unwrap();
    store.set("extended", "v".into(), second, Condition::Always).await.unwrap();
    put(&*store, "extended", "w").await;
    let version = store.set("updated", "v".into(), None, Condition::Always).await.unwrap();
    store.set("updated", "w".into(), second, Condition::Version(version)).await.unwrap();
    store.set("endless", "v".into(), Some(Duration::MAX), Condition::Always).await.unwrap();
    // On a slow machine they may have ended by now: only what was read within the shortest life has to be there.
    let present = [value(&*store, "short").await, value(&*store, "updated").await];
    if begun.elapsed() < life {
        assert!(present.iter().all(Option::is_some), "{present:?}");
    }
    for key in ["short", "updated"] {
        eventually("the end of a life", async || store.get(key).await.unwrap().is_none().then_some(())).await;
    }
    assert_eq!(value(&*store, "extended").await.unwrap(), "w");
    assert_eq!(value(&*store, "endless").await.unwrap(), "v");
    assert_eq!(store.keys("", None, 9).await.unwrap(), ["endless", "extended"]);
    let mut ended = Vec::new();
    while ended.len() < 2 {
        if let Change::Delete { key } = soon("the end of a life", changes.next()).await.unwrap().unwrap() {
            ended.push(key);
        }
    }
    ended.sort();
    assert_eq!(ended, ["short", "updated"]);
    // What was there and is over is absent.
    store.set("short", "again".into(), None, Condition::Absent).await.unwrap();
    assert_eq!(value(&*store, "short").await.unwrap(), "again");
}

#[tokio::test]
async fn keys_come_in_pages() {
    let server = Server::start();
    let store = open(&server, "pages").await;
    assert!(store.keys("", None, 10).await.unwrap().is_empty());
    // More than one batch of a walk, written in an order of their own.
    let mut keys: Vec<String> = (0..4500_u32).map(|n| format!("k/{}.{n}", n.wrapping_mul(7919) % 100)).collect();
    let writes = keys.iter().map(|key| put(&*store, key, ""));
    stream::iter(writes).buffer_unordered(64).collect::<Vec<_>>().await;
    put(&*store, "other", "").await;
    keys.sort();
    assert_eq!(store.keys("k/", None, usize::MAX).await.unwrap(), keys);
    assert_eq!(
        store.keys("k/7.", None, 5).await.unwrap(),
        keys.iter().filter(|key| key.starts_with("k/7.")).take(5).cloned().collect::<Vec<_>>()
    );
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = store.keys("k/", paged.last().map(String::as_str), 1000).await.unwrap();
        paged.extend_from_slice(&page);
        if page.len() < 1000 {
            break;
        }
    }
    assert_eq!(paged, keys);
    assert!(store.keys("k", None, 0).await.unwrap().is_empty());
    assert!(store.keys("none", None, 9).await.unwrap().is_empty());
    assert!(store.keys("", Some("other"), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn changes_are_reported_from_now_on_and_in_order() {
    let server = Server::start();
    let store = open(&server, "watched").await;
    let other = open(&server, "elsewhere").await;
    put(&*store, "before", "v").await;
    let mut changes = store.watch().await.unwrap();
    put(&*other, "foreign", "v").await;
    for n in 0..100 {
        put(&*store, "a b", &n.to_string()).await;
    }
    store.delete("a b").await.unwrap();
    // The bucket keeps the last value of a key only, so a watcher that lags may miss one that was replaced.
    let mut last = None;
    loop {
        match soon("a change", changes.next()).await.unwrap().unwrap() {
            Change::Set { key, value } => {
                assert_eq!(key, "a b");
                let number = std::str::from_utf8(&value).unwrap().parse::<u32>().unwrap();
                assert!(last < Some(number), "{last:?} before {number}");
                last = Some(number);
            }
            Change::Delete { key } => {
                assert_eq!(key, "a b");
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_buckets_share_no_key() {
    let server = Server::start();
    let (one, two) = (open(&server, "one").await, open(&server, "two").await);
    for key in KEYS {
        put(&*one, key, "one").await;
        assert_eq!(two.get(key).await.unwrap(), None, "{key:?}");
    }
    assert!(two.keys("", None, 9).await.unwrap().is_empty());
    for key in KEYS {
        two.delete(key).await.unwrap();
        assert_eq!(value(&*one, key).await.unwrap(), "one", "{key:?}");
    }
}

#[tokio::test]
async fn values_above_the_servers_maximum_are_refused() {
    let server = Server::with("jetstream {}\nmax_payload: 65536");
    let store = open(&server, "large").await;
    let set = async |size: usize, condition| {
        let result = store.set("k", vec![7; size].into(), None, condition).await;
        result.map(drop).map_err(|error| (error.kind(), error.to_string()))
    };
    set(65535, Condition::Always).await.unwrap();
    set(65536, Condition::Always).await.unwrap();
    let (kind, said) = set(65537, Condition::Always).await.unwrap_err();
    assert_eq!(kind, ErrorKind::InvalidArgument);
    assert!(said.contains("65537") && said.contains("65536"), "{said}");
    // A condition goes with the value, and counts.
    assert_eq!(set(65536, Condition::Absent).await.unwrap_err().0, ErrorKind::InvalidArgument);
    assert_eq!(value(&*store, "k").await.unwrap().len(), 65536);
}

#[tokio::test]
async fn one_connection_serves_all_stores_of_a_process() {
    let server = Server::with("jetstream {}\nmax_connections: 1");
    let (one, two) = tokio::join!(open(&server, "one"), open(&server, "two"));
    put(&*one, "k", "v").await;
    put(&*two, "k", "w").await;
    assert_eq!(value(&*one, "k").await.unwrap(), "v");
    // On another thread with a runtime of its own, where timers are another's too.
    let elsewhere = two.clone();
    let found = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut changes = elsewhere.watch().await.unwrap();
            put(&*elsewhere, "k", "x").await;
            elsewhere.keys("", None, 9).await.unwrap();
            changes.next().await.unwrap().unwrap()
        })
    });
    assert_eq!(found.await.unwrap(), Change::Set { key: "k".into(), value: "x".into() });
    // It is closed with the last of them: there is no room for another beside it.
    drop((one, two));
    let url = format!("nats://localhost:{}/one", server.port);
    let again = open_with(&url, &[("connect-timeout", "60s")]).await.unwrap();
    assert_eq!(value(&*again, "k").await.unwrap(), "v");
}

/// A value that is written over while a list is on its way to it ends no list early. Also in a bucket with a history,
/// which is shorter than what is written meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_among_writes_misses_nothing() {
    let server = Server::start();
    for history in [1, 2] {
        let jetstream = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
        let bucket = format!("history{history}");
        jetstream
            .create_key_value(kv::Config { bucket: bucket.clone(), history, ..kv::Config::default() })
            .await
            .unwrap();
        let store = open(&server, &bucket).await;
        let keys: Vec<String> = (100..140).map(|number| format!("k{number}")).collect();
        for key in &keys {
            put(&*store, key, "first").await;
        }
        let writing = async {
            loop {
                join_all(keys.iter().map(|key| put(&*store, key, "again"))).await;
            }
        };
        let listing = async {
            for _ in 0..100 {
                assert_eq!(store.keys("k", None, 1000).await.unwrap(), keys, "history {history}");
            }
        };
        tokio::select! {
            () = listing => {}
            () = writing => {}
        }
    }
}
