//! Random operations on buckets of a real server, against the model that every backend is driven by: on one bucket, and on
//! several with names of all kinds, of which none has what was written to another.

use std::sync::Arc;

use anyhow::Result;
use async_nats::jetstream;
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempo_blobstore::Container;
use tempo_blobstore::testkit::model as blobs;
use tempo_keyvalue::KeyValueStore;
use tempo_keyvalue::testkit::model as keys;
use tempo_nats::{NatsBlobstore, NatsKeyValue};
use tokio::runtime::{Builder, Runtime};

use crate::support::Server;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn client(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap())
}

/// How many cases: `cargo xtask test --slow` asks for more of them.
fn cases(cases: u32) -> u32 {
    if std::env::var_os("TEMPO_TEST_SLOW").is_some() { cases * 10 } else { cases }
}

/// All that a URL allows, and names that a server might take for each other.
fn name() -> impl Strategy<Value = String> {
    let hard = ["a", "A", "ab", "a_", "a-b", "_", "-", "KV_a", "OBJ_a", "kv_a", "0", "M", "C"];
    prop_oneof![3 => select(hard.map(str::to_owned).to_vec()), 1 => "[a-zA-Z0-9_-]{1,40}"]
}

/// The stores of one case, and the client that removes before it what those before it left.
struct Emptied<C> {
    stores: C,
    left: Vec<String>,
    client: jetstream::Context,
}

impl<C> Emptied<C> {
    async fn empty(&mut self) {
        for stream in self.left.drain(..) {
            // Not deleted: a stream that is made again at once may find what the server had no time to remove.
            match self.client.get_stream(stream).await {
                Ok(stream) => drop(stream.purge().await.unwrap()),
                Err(error) => assert!(error.to_string().contains("stream not found"), "{error}"),
            }
        }
    }
}

/// The last part of URLs becomes the whole.
fn complete(server: &Server, kind: &str, names: &mut [String]) -> Vec<String> {
    let streams = names.iter().map(|name| format!("{kind}_{name}")).collect();
    names.iter_mut().for_each(|name| *name = server.url(name));
    streams
}

type Keys = keys::Components<(NatsKeyValue,)>;

#[async_trait]
impl keys::Subject for Emptied<Keys> {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        self.empty().await;
        self.stores.open().await
    }

    fn keys(&self) -> Vec<String> {
        self.stores.keys()
    }
}

fn run_keys(count: u32, worlds: impl Strategy<Value = keys::Names>) {
    let (server, runtime) = (Server::start(), runtime());
    let client = runtime.block_on(client(&server));
    let subject = |mut names: keys::Names| {
        let left = complete(&server, "KV", &mut names.urls);
        Emptied { stores: Keys::new(names), left, client: client.clone() }
    };
    keys::run(&runtime, cases(count), worlds, subject).unwrap();
}

#[test]
fn a_bucket_is_like_a_map() {
    run_keys(50, keys::Names::of(1..=1, Just("a".to_owned())));
}

#[test]
fn buckets_share_nothing() {
    run_keys(50, keys::Names::of(2..=3, name()));
}

type Blobs = blobs::Components<(NatsBlobstore,)>;

#[async_trait]
impl blobs::Subject for Emptied<Blobs> {
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        self.empty().await;
        self.stores.open().await
    }

    fn names(&self) -> Vec<String> {
        self.stores.names()
    }
}

fn run_blobs(count: u32, worlds: impl Strategy<Value = blobs::Names>) {
    let (server, runtime) = (Server::start(), runtime());
    let client = runtime.block_on(client(&server));
    let subject = |mut names: blobs::Names| {
        let left = complete(&server, "OBJ", &mut names.urls);
        Emptied { stores: Blobs::new(names), left, client: client.clone() }
    };
    blobs::run(&runtime, cases(count), worlds, subject).unwrap();
}

#[test]
fn a_bucket_of_objects_is_like_a_map() {
    run_blobs(40, blobs::Names::of(1..=1, Just("a".to_owned())));
}

#[test]
fn buckets_of_objects_share_nothing() {
    run_blobs(40, blobs::Names::of(2..=3, name()));
}
