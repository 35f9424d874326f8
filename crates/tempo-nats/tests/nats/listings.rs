//! Listings of large buckets, on a real server.

use async_nats::jetstream;
use futures::{StreamExt as _, stream};
use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_blobstore::PutOptions;
use tempo_keyvalue::{Condition, KeyValueStore};
use tempo_nats::NatsBlobstore;
use tempo_settings::{BackendUrl, FlagValue as _, Settings};

use crate::support::{Server, open};

async fn client(server: &Server) -> async_nats::Client {
    async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap()
}

async fn fill(store: &dyn KeyValueStore, keys: &[String]) {
    let writes = keys.iter().map(|key| store.set(key, "v".into(), None, Condition::Always));
    let written: Vec<_> = stream::iter(writes).buffer_unordered(64).collect().await;
    assert!(written.iter().all(Result::is_ok));
}

/// Each walk over a bucket is a consumer, of which the server tells by an advisory.
#[tokio::test]
async fn the_pages_of_a_listing_are_one_walk() {
    let server = Server::start();
    let store = open(&server, "large").await;
    let keys: Vec<String> = (1_000..4_000).map(|number| format!("k/{number}")).collect();
    fill(&*store, &keys).await;
    let client = client(&server).await;
    let mut walks = client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.CREATED.KV_large.*").await.unwrap();
    client.flush().await.unwrap();
    let mut listed: Vec<String> = Vec::new();
    while let Some(page) =
        Some(store.keys("k/", listed.last().map(String::as_str), 100).await.unwrap()).filter(|page| !page.is_empty())
    {
        listed.extend(page);
    }
    assert_eq!(listed, keys);
    // Written after the listing, so that its advisory comes after those of the walks.
    let stream = jetstream::new(client).get_stream("KV_large").await.unwrap();
    let config = jetstream::consumer::pull::Config { name: Some("last".into()), ..Default::default() };
    stream.create_consumer(config).await.unwrap();
    let mut count = 0;
    while let Some(advisory) = walks.next().await {
        if advisory.subject.ends_with(".last") {
            break;
        }
        count += 1;
    }
    assert_eq!(count, 1, "a listing walks through the bucket more than once");
}

/// Between two pages keys are written and deleted, by this client and by another.
#[tokio::test]
async fn a_page_has_what_was_written_before_it() {
    let server = Server::start();
    let (store, other) = (open(&server, "changes").await, open(&server, "changes").await);
    let mut keys: Vec<String> = (100..400).map(|number| format!("k/{number}")).collect();
    fill(&*store, &keys).await;
    for writer in [&store, &other] {
        let mut listed = store.keys("k/", None, 100).await.unwrap();
        assert_eq!(listed, keys[..100]);
        let added = vec![format!("k/{}a", 250), format!("k/{}b", 250), "other".to_owned()];
        fill(&**writer, &added).await;
        fill(&**writer, &keys[150..160]).await;
        let removed: Vec<String> = keys.drain(210..220).collect();
        for key in &removed {
            writer.delete(key).await.unwrap();
        }
        keys.extend(added[..2].iter().cloned());
        keys.sort();
        while let Some(page) = Some(store.keys("k/", listed.last().map(String::as_str), 100).await.unwrap())
            .filter(|page| !page.is_empty())
        {
            listed.extend(page);
        }
        assert_eq!(listed, keys);
        for key in &added {
            writer.delete(key).await.unwrap();
        }
        keys.retain(|key| !added.contains(key));
        fill(&**writer, &removed).await;
        keys.extend(removed);
        keys.sort();
    }
}

/// A bucket that was deleted and created again has none of the keys of before.
#[tokio::test]
async fn a_bucket_that_was_made_again_is_another() {
    let server = Server::start();
    let store = open(&server, "again").await;
    let keys: Vec<String> = (100..300).map(|number| format!("k/{number}")).collect();
    fill(&*store, &keys).await;
    let page = store.keys("k/", None, 100).await.unwrap();
    assert_eq!(page, keys[..100]);
    let jetstream = jetstream::new(client(&server).await);
    let config = jetstream.get_stream("KV_again").await.unwrap().cached_info().config.clone();
    jetstream.delete_stream("KV_again").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    let keys: Vec<String> = (100..400).map(|number| format!("k/{number}x")).collect();
    fill(&*store, &keys).await;
    let rest = store.keys("k/", Some("k/199"), 1000).await.unwrap();
    assert_eq!(rest, keys.iter().filter(|key| key.as_str() > "k/199").cloned().collect::<Vec<_>>());
}

/// A deleted object leaves its marker. A page has what was written and deleted before it.
#[tokio::test]
async fn deleted_objects_leave_a_marker_and_no_entry() {
    let server = Server::start();
    let settings = Settings::default();
    let url = BackendUrl::parse(&server.url("o")).unwrap();
    let container = NatsBlobstore::open(&url, BackendContext::new(&settings)).await.unwrap();
    let put = async |name: &str| {
        let mut upload = container.put(name, PutOptions::default()).await.unwrap();
        upload.write("data".into()).await.unwrap();
        upload.complete().await.unwrap();
    };
    let names: Vec<String> = (100..130).map(|number| format!("o/{number}")).collect();
    for name in &names {
        put(name).await;
    }
    let listed = async |after: Option<&str>, limit| {
        let entries = container.list("o/", after, limit).await.unwrap();
        entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 10).await, names[..10]);
    for name in &names[10..20] {
        container.delete(name).await.unwrap();
    }
    put("o/115").await;
    put("o/110a").await;
    container.delete("o/110a").await.unwrap();
    assert_eq!(listed(Some("o/109"), 3).await, ["o/115", "o/120", "o/121"]);
    container.delete("o/115").await.unwrap();
    assert_eq!(listed(Some("o/109"), 2).await, ["o/120", "o/121"]);
    // By another process, too.
    let other = NatsBlobstore::open(&url, BackendContext::new(&settings)).await.unwrap();
    assert_eq!(listed(None, 2).await, names[..2]);
    other.delete(&names[3]).await.unwrap();
    assert_eq!(listed(Some(&names[1]), 2).await, [&*names[2], &*names[4]]);
    for name in names.iter().chain([&names[0]]) {
        container.delete(name).await.unwrap();
    }
    assert!(listed(None, 1000).await.is_empty());
    let stream = jetstream::new(client(&server).await).get_stream("OBJ_o").await.unwrap();
    assert_eq!(stream.get_info().await.unwrap().state.messages, 31, "one marker for each name");
}
