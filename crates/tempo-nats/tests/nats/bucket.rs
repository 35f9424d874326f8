//! Buckets that another program created keep their configuration.

use std::time::Duration;

use async_nats::jetstream::{self, kv, stream};
use futures::StreamExt as _;
use tempo_keyvalue::{Change, Condition, ErrorKind};
use tempo_settings::ErrorKind as SettingsErrorKind;

use crate::support::{Server, open, refusal, soon};

async fn client(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap())
}

#[tokio::test]
async fn a_new_bucket_is_what_every_nats_tool_expects() {
    let server = Server::start();
    let store = open(&server, "mine").await;
    store.set("user/1", "ann".into(), None, Condition::Always).await.unwrap();
    let bucket = client(&server).await.get_key_value("mine").await.unwrap();
    assert_eq!(bucket.get("user/1").await.unwrap().unwrap(), "ann");
    let config = &bucket.stream.cached_info().config;
    assert_eq!((config.max_messages_per_subject, config.num_replicas), (1, 1));
    assert_eq!(config.storage, stream::StorageType::File);
    assert!(config.allow_message_ttl && config.allow_direct);
    let revision = bucket.put("user/1", "bob".into()).await.unwrap();
    let entry = store.get("user/1").await.unwrap().unwrap();
    assert_eq!((&*entry.value, entry.version), (&b"bob"[..], revision));
    store.delete("user/1").await.unwrap();
    assert_eq!(bucket.get("user/1").await.unwrap(), None);
    // What a deletion leaves is itself forgotten, and leaves nothing: the server does so with purges only.
    let marker = bucket.stream.direct_get_last_for_subject("$KV.mine.user/1").await.unwrap();
    let header = |name: &str| marker.headers.get(name).map(ToString::to_string);
    assert_eq!((header("KV-Operation"), header("Nats-TTL")), (Some("PURGE".into()), Some("3600".into())));
    bucket.put("user/1", "eve".into()).await.unwrap();
    bucket.delete("user/1").await.unwrap();
    assert_eq!(store.get("user/1").await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_without_lifetimes_says_so() {
    let server = Server::start();
    let config = kv::Config { bucket: "plain".into(), history: 5, ..kv::Config::default() };
    let bucket = client(&server).await.create_key_value(config).await.unwrap();
    let store = open(&server, "plain").await;
    let version = store.set("k", "v".into(), None, Condition::Absent).await.unwrap();
    for condition in [Condition::Always, Condition::Absent, Condition::Version(version)] {
        let error = store.set("k", "w".into(), Some(Duration::from_secs(5)), condition).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("2.11"), "{error}");
    }
    assert_eq!(store.get("k").await.unwrap().unwrap().value, "v");
    store.delete("k").await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), None);
    // The history that the other program configured is still there.
    let history: Vec<_> = bucket.history("k").await.unwrap().map(|entry| entry.unwrap().operation).collect().await;
    assert_eq!(history, [kv::Operation::Put, kv::Operation::Delete]);
    store.set("k", "w".into(), None, Condition::Absent).await.unwrap();
    assert_eq!(store.keys("", None, 9).await.unwrap(), ["k"]);
}

#[tokio::test]
async fn keys_that_are_no_encoding_are_left_alone() {
    let server = Server::start();
    let store = open(&server, "shared").await;
    let bucket = client(&server).await.get_key_value("shared").await.unwrap();
    let mut changes = store.watch().await.unwrap();
    for foreign in ["a=b", "a=2eb", "=FF"] {
        bucket.put(foreign, "theirs".into()).await.unwrap();
    }
    store.set("a=b", "ours".into(), None, Condition::Always).await.unwrap();
    assert_eq!(store.keys("", None, 9).await.unwrap(), ["a=b"]);
    let change = soon("a change", changes.next()).await.unwrap().unwrap();
    assert_eq!(change, Change::Set { key: "a=b".into(), value: "ours".into() });
    assert_eq!(bucket.get("a=b").await.unwrap().unwrap(), "theirs");
}

#[tokio::test]
async fn a_full_bucket_and_one_that_was_deleted() {
    let server = Server::start();
    let jetstream = client(&server).await;
    let config = kv::Config { bucket: "small".into(), history: 1, max_bytes: 2000, ..kv::Config::default() };
    jetstream.create_key_value(config).await.unwrap();
    let store = open(&server, "small").await;
    let set = async |key: &str| store.set(key, vec![7; 900].into(), None, Condition::Always).await;
    set("a").await.unwrap();
    set("b").await.unwrap();
    assert_eq!(set("c").await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
    let mut changes = store.watch().await.unwrap();
    jetstream.delete_key_value("small").await.unwrap();
    assert_eq!(store.get("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(set("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    let last = soon("the end of the watch", changes.next()).await.unwrap();
    assert_eq!(last.unwrap_err().kind(), ErrorKind::NoSuchStore);
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_no_bucket_is_refused() {
    let server = Server::start();
    let config = stream::Config { name: "KV_jobs".into(), subjects: vec!["jobs.>".into()], ..Default::default() };
    client(&server).await.create_stream(config).await.unwrap();
    let error = refusal(&server.url("jobs"), &[]).await;
    assert_eq!(error.kind(), SettingsErrorKind::Unavailable);
    assert!(error.to_string().starts_with(&server.url("jobs")), "{error}");
}
