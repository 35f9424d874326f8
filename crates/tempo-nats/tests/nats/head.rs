//! `head` and `exists` are as right as a read, and download no value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_nats::jetstream::{self, kv};
use tempo_keyvalue::Condition;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Server, eventually, open, open_with};

const VALUE_BYTES: usize = 1 << 20;

/// A proxy in front of a server that counts the bytes of both directions.
struct CountingProxy {
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl CountingProxy {
    async fn start(server: &Server) -> Self {
        let (listener, target) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.port);
        let (port, bytes) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let counter = bytes.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(copy(from_client, to_server, counter.clone()));
                tokio::spawn(copy(from_server, to_client, counter.clone()));
            }
        });
        Self { port, bytes }
    }

    /// Runs `work`, and returns the bytes that have passed during it.
    async fn count<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.bytes.load(Relaxed);
        let result = work.await;
        (result, self.bytes.load(Relaxed) - before)
    }
}

async fn copy(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    counter: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        // Counted first: what has arrived was counted.
        counter.fetch_add(length as u64, Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn consumers(server: &Server, bucket: &str) -> usize {
    let client = async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap();
    let mut stream = jetstream::new(client).get_stream(format!("KV_{bucket}")).await.unwrap();
    stream.info().await.unwrap().state.consumer_count
}

#[tokio::test]
async fn no_value_is_downloaded() {
    let server = Server::start();
    let proxy = CountingProxy::start(&server).await;
    let store = open_with(&format!("nats://127.0.0.1:{}/b", proxy.port), &[]).await.unwrap();
    let version = store.set("k", vec![7; VALUE_BYTES].into(), None, Condition::Always).await.unwrap();
    let (value, bytes) = proxy.count(store.get("k")).await;
    assert!(value.unwrap().is_some() && bytes > VALUE_BYTES as u64, "the proxy counted {bytes} bytes");
    for _ in 0..3 {
        let (exists, bytes) = proxy.count(store.exists("k")).await;
        assert_eq!(exists, Ok(true));
        assert!(bytes < 4 << 10, "exists moved {bytes} bytes");
        let (head, bytes) = proxy.count(store.head("k")).await;
        assert_eq!(head, Ok(Some(version)));
        assert!(bytes < 4 << 10, "head moved {bytes} bytes");
    }
    store.delete("k").await.unwrap();
    for key in ["k", "absent"] {
        let (exists, bytes) = proxy.count(store.exists(key)).await;
        assert_eq!(exists, Ok(false), "{key}");
        assert!(bytes < 4 << 10, "exists of {key} moved {bytes} bytes");
    }
    let gone = || async { (consumers(&server, "b").await == 0).then_some(()) };
    eventually("the server deletes the consumers", gone).await;
}

/// A version that this process has not seen costs a look at the head, not at the value.
#[tokio::test]
async fn a_swap_downloads_no_value() {
    let server = Server::start();
    let proxy = CountingProxy::start(&server).await;
    let writer = open(&server, "b").await;
    let store = open_with(&format!("nats://127.0.0.1:{}/b", proxy.port), &[]).await.unwrap();
    let version = writer.set("k", vec![7; VALUE_BYTES].into(), None, Condition::Always).await.unwrap();
    let (swapped, bytes) = proxy.count(store.set("k", "small".into(), None, Condition::Version(version))).await;
    assert!(swapped.unwrap() > version);
    assert!(bytes < 64 << 10, "a swap moved {bytes} bytes");
}

/// A key that is written over and over is there all the time, also where the bucket keeps a history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_among_writes_misses_nothing() {
    let server = Server::start();
    for history in [1, 2] {
        let jetstream = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
        let bucket = format!("history{history}");
        let config = kv::Config { bucket: bucket.clone(), history, ..kv::Config::default() };
        jetstream.create_key_value(config).await.unwrap();
        let store = open(&server, &bucket).await;
        let write = || async { store.set("k", "v".into(), None, Condition::Always).await.unwrap() };
        let last = AtomicU64::new(write().await);
        let writing = async {
            loop {
                last.store(write().await, Relaxed);
            }
        };
        let reading = async {
            for _ in 0..300 {
                let acknowledged = last.load(Relaxed);
                let head = store.head("k").await.unwrap();
                assert!(head >= Some(acknowledged), "{head:?} before {acknowledged}, history {history}");
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }
}

/// With several values in its history, the last one counts, and a deletion ends it.
#[tokio::test]
async fn the_last_message_of_a_history_counts() {
    let server = Server::start();
    let jetstream = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
    let config = kv::Config { bucket: "b".to_owned(), history: 5, ..kv::Config::default() };
    let bucket = jetstream.create_key_value(config).await.unwrap();
    let store = open(&server, "b").await;
    for value in ["1", "2", "3"] {
        let version = store.set("k", value.into(), None, Condition::Always).await.unwrap();
        assert_eq!(store.head("k").await, Ok(Some(version)));
    }
    bucket.delete("k").await.unwrap();
    assert_eq!(store.head("k").await, Ok(None));
    let version = store.set("k", "4".into(), None, Condition::Absent).await.unwrap();
    assert_eq!(store.head("k").await, Ok(Some(version)));
    bucket.purge("k").await.unwrap();
    assert_eq!(store.exists("k").await, Ok(false));
}
