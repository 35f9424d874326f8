//! The conformance checks of all services on a real nats-server, as named trials: `keyvalue::nats::keys_are_opaque`. All trials
//! share two servers, of which one has no JetStream.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../nats/support.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod support;

use std::future::Future;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use async_nats::jetstream;
use futures::TryStreamExt as _;
use libtest_mimic::{Arguments, Trial};
use support::{Server, eventually};
use tempo_backend::{BackendContext, BackendScheme};
use tempo_blobstore::Container;
use tempo_keyvalue::KeyValueStore;
use tempo_messaging::Broker;
use tempo_messaging::testkit::Capabilities as Messaging;
use tempo_nats::{NatsBlobstore, NatsKeyValue, NatsMessaging};
use tempo_settings::{BackendUrl, FlagValue as _, Settings};

/// A server that the first trial that needs it starts.
struct Shared {
    configuration: &'static str,
    server: Mutex<Option<Arc<Server>>>,
}

impl Shared {
    const fn new(configuration: &'static str) -> Self {
        Self { configuration, server: Mutex::new(None) }
    }

    fn get(&self) -> Arc<Server> {
        let mut server = self.server.lock().unwrap();
        server.get_or_insert_with(|| Arc::new(Server::with(self.configuration))).clone()
    }

    /// Takes the server: a static is not dropped at the end of the process.
    fn take(&self) -> Option<Arc<Server>> {
        self.server.lock().unwrap().take()
    }
}

static JETSTREAM: Shared = Shared::new("jetstream {}");
static CORE: Shared = Shared::new("");
/// The number of buckets of objects.
static OBJECT_BUCKETS: AtomicUsize = AtomicUsize::new(0);

/// Opens a backend as a runtime does.
async fn open<B: ?Sized + Send + Sync + 'static, S: BackendScheme<B>>(url: String) -> Result<Arc<B>> {
    let settings = Settings::default();
    Ok(S::open(&BackendUrl::parse(&url).unwrap(), BackendContext::new(&settings)).await?)
}

fn keyvalue() -> Vec<Trial> {
    let count = AtomicUsize::new(0);
    let factory = move || {
        let bucket = format!("keys{}", count.fetch_add(1, Relaxed));
        async move { open::<dyn KeyValueStore, NatsKeyValue>(JETSTREAM.get().url(&bucket)).await }
    };
    let mut capabilities = tempo_keyvalue::testkit::Capabilities::ALL;
    // A bucket keeps the last value of a key only.
    capabilities.every_change = false;
    tempo_keyvalue::testkit::trials("keyvalue::nats", factory, &capabilities)
}

fn blobstore() -> Vec<Trial> {
    let factory = || async {
        let bucket = format!("objects{}", OBJECT_BUCKETS.fetch_add(1, Relaxed));
        open::<dyn Container, NatsBlobstore>(JETSTREAM.get().url(&bucket)).await
    };
    let capabilities = tempo_blobstore::testkit::Capabilities::ALL;
    tempo_blobstore::testkit::trials("blobstore::nats", factory, &capabilities)
}

fn broker(server: &Server, rest: &str) -> impl Future<Output = Result<Arc<dyn Broker>>> + use<> {
    open::<dyn Broker, NatsMessaging>(format!("nats://127.0.0.1:{}{rest}", server.port))
}

fn messaging() -> Vec<Trial> {
    let mut jetstream = Messaging::ALL;
    // All keys share one order.
    jetstream.lanes = false;
    // A consumer keeps its position.
    jetstream.rematches = false;
    // The stream stores the request, with or without a responder.
    jetstream.no_responders = false;
    let mut core = Messaging::NONE;
    core.merges = true;
    core.no_responders = true;
    let stream = |word: String| broker(&JETSTREAM.get(), &format!("/{word}?subjects={word}.>"));
    let mut trials = tempo_messaging::testkit::trials("messaging::jetstream", stream, &jetstream);
    trials.extend(tempo_messaging::testkit::trials("messaging::nats", |_| broker(&CORE.get(), ""), &core));
    trials
}

/// Waits until the buckets of objects have neither chunks nor consumers: the checks delete all objects.
async fn leaves_nothing(server: &Server) {
    let client = jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap());
    for number in 0..OBJECT_BUCKETS.load(Relaxed) {
        let name = format!("objects{number}");
        let bucket = client.get_stream(format!("OBJ_{name}")).await.unwrap();
        let chunks = async || {
            let subjects = bucket.info_with_subjects(format!("$O.{name}.C.>")).await.unwrap();
            subjects.try_collect::<Vec<_>>().await.unwrap().len()
        };
        eventually("the chunks are gone", async || (chunks().await == 0).then_some(())).await;
        let consumers = async || bucket.get_info().await.unwrap().state.consumer_count;
        eventually("the consumers are gone", async || (consumers().await == 0).then_some(())).await;
    }
}

fn main() -> ExitCode {
    let trials = [keyvalue(), blobstore(), messaging()].into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    let servers = [JETSTREAM.take(), CORE.take()];
    if let [Some(server), _] = &servers
        && !conclusion.has_failed()
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(leaves_nothing(server));
    }
    conclusion.exit_code()
}
