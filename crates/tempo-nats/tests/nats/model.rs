//! Random operations on buckets of a real server, against the model that every backend is driven by: on one bucket, and on
//! several with names of all kinds, of which none has what was written to another.

use anyhow::Result;
use async_nats::jetstream;
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempo_backend::BackendScheme;
use tempo_backend::testkit::model::{BackendOf, BackendUrls, ComponentBackends, ReferenceModel, SystemUnderTest, run};
use tempo_blobstore::testkit::model::BlobstoreModel;
use tempo_keyvalue::testkit::model::KeyValueModel;
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

/// The backends of one case, and the client that empties their buckets first: earlier cases used the same names.
struct Emptied<C> {
    backends: C,
    streams: Vec<String>,
    client: jetstream::Context,
}

#[async_trait]
impl<C: SystemUnderTest> SystemUnderTest for Emptied<C> {
    type Model = C::Model;

    async fn open(&mut self) -> Result<Vec<BackendOf<C::Model>>> {
        for stream in self.streams.drain(..) {
            // Not deleted: a stream that is made again at once may find what the server had no time to remove.
            match self.client.get_stream(stream).await {
                Ok(stream) => drop(stream.purge().await.unwrap()),
                Err(error) => assert!(error.to_string().contains("stream not found"), "{error}"),
            }
        }
        self.backends.open().await
    }

    fn names(&self) -> Vec<String> {
        self.backends.names()
    }
}

/// Runs the model `M` on buckets whose streams have names that begin with `kind`, opened by the scheme `S`.
fn run_model<M: ReferenceModel, S: BackendScheme<M::Backend>>(
    kind: &str,
    count: u32,
    urls: impl Strategy<Value = BackendUrls>,
) {
    let (server, runtime) = (Server::start(), runtime());
    let client = runtime.block_on(client(&server));
    let system = |mut urls: BackendUrls| {
        let streams = urls.urls.iter().map(|name| format!("{kind}_{name}")).collect();
        urls.urls.iter_mut().for_each(|name| *name = server.url(name));
        Emptied { backends: ComponentBackends::<M, (S,)>::new(urls), streams, client: client.clone() }
    };
    run(&runtime, cases(count), urls, system).unwrap();
}

fn one() -> impl Strategy<Value = BackendUrls> {
    BackendUrls::strategy(1..=1, Just("a".to_owned()))
}

#[test]
fn a_bucket_agrees_with_the_model() {
    run_model::<KeyValueModel, NatsKeyValue>("KV", 50, one());
}

#[test]
fn buckets_share_nothing() {
    run_model::<KeyValueModel, NatsKeyValue>("KV", 50, BackendUrls::strategy(2..=3, name()));
}

#[test]
fn a_bucket_of_objects_agrees_with_the_model() {
    run_model::<BlobstoreModel, NatsBlobstore>("OBJ", 40, one());
}

#[test]
fn buckets_of_objects_share_nothing() {
    run_model::<BlobstoreModel, NatsBlobstore>("OBJ", 40, BackendUrls::strategy(2..=3, name()));
}
