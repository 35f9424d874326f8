//! Counters with a lifetime, asked of a real server.

use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::stream::Stream;
use tempo_keyvalue::{Condition, ErrorKind};

use crate::support::{Server, open};

/// Returns the headers `Nats-TTL` and `Tempo-Expires` of a key.
async fn life(stream: &Stream, key: &str) -> (Option<String>, Option<String>) {
    let message = stream.get_last_raw_message_by_subject(&format!("$KV.counters.{key}")).await.unwrap();
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    (header("Nats-TTL"), header("Tempo-Expires"))
}

/// The end of a lifetime is computed once, and is the same after any number of increments. So it is for an entry of
/// another client, which writes TTLs as durations of Go.
#[tokio::test]
async fn an_increment_keeps_the_end_of_a_life() {
    let server = Server::start();
    let store = open(&server, "counters").await;
    let jetstream = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
    let stream = jetstream.get_stream("KV_counters").await.unwrap();
    for ttl in ["1h", "3600", "1h0m0s"] {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", ttl);
        jetstream.publish_with_headers("$KV.counters.k", headers, "5".into()).await.unwrap().await.unwrap();
        assert_eq!(store.increment("k", 1u64.into()).await, Ok(6), "{ttl}");
        let (rest, end) = life(&stream, "k").await;
        let rest: u64 = rest.unwrap().parse().unwrap();
        assert!((1..=3600).contains(&rest), "{rest}");
        assert!(end.is_some());
        for sum in 7..20 {
            assert_eq!(store.increment("k", 1u64.into()).await, Ok(sum), "{ttl}");
        }
        assert_eq!(life(&stream, "k").await.1, end, "{ttl}");
        let version = store.head("k").await.unwrap().unwrap();
        store.replace("k", "100".into(), version).await.unwrap();
        assert_eq!(life(&stream, "k").await.1, end, "{ttl}");
    }
    store.set("k", "1".into(), None, Condition::Always).await.unwrap();
    store.increment("k", 1u64.into()).await.unwrap();
    assert_eq!(life(&stream, "k").await, (None, None));
}

/// In a bucket whose messages expire, an entry that never does stays one.
#[tokio::test]
async fn an_endless_life_stays_endless() {
    let server = Server::start();
    let store = open(&server, "counters").await;
    let jetstream = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
    let stream = jetstream.get_stream("KV_counters").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Nats-TTL", "never");
    jetstream.publish_with_headers("$KV.counters.k", headers, "5".into()).await.unwrap().await.unwrap();
    assert_eq!(store.increment("k", 1u64.into()).await, Ok(6));
    assert_eq!(life(&stream, "k").await, (Some("never".to_owned()), None));
    let missing = store.replace("none", "1".into(), 1).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::PreconditionFailed);
}
