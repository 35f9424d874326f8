//! A publisher that records the accepted messages. It uses NATS directly, so that it does not depend on the tested
//! code.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{ConnectOptions, jetstream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::eventually;
use super::message_ledger::{ORDERED, Published};

/// The stream, and the bucket in which handlers record their calls.
pub(crate) const STREAM: &str = "LEDGER";
pub(crate) const BUCKET: &str = "EFFECTS";

/// The numbers of ordered and of unordered keys.
const KEYS: [usize; 2] = [2, 12];

/// The pauses between two messages of a key. Ordered messages are handled one after the other, so they are fewer.
const PAUSES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(30)];

/// The time to wait for an acknowledgement before a message is resent.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// Publishes until it is stopped: the messages of each key in turn, each until it is accepted.
pub(crate) struct Publisher {
    runtime: Runtime,
    stop: Arc<AtomicBool>,
    published: Arc<Mutex<Published>>,
    tasks: JoinSet<()>,
}

impl Publisher {
    /// Creates the stream and the bucket on the servers of a URL, and publishes.
    pub(crate) fn start(servers: &str, replicas: usize) -> Self {
        let runtime = runtime();
        let jetstream = runtime.block_on(connect(servers, REPLY_TIMEOUT));
        eventually("the stream and the bucket are made", || runtime.block_on(prepare(&jetstream, replicas)));
        let (stop, published) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Published>>::default());
        let mut tasks = JoinSet::new();
        for (kind, (count, pause)) in [ORDERED, "any"].into_iter().zip(KEYS.into_iter().zip(PAUSES)) {
            for number in 0..count {
                let (topic, key) = (format!("ledger.{kind}.{number}"), format!("{kind}-{number}"));
                let (jetstream, stop, published) = (jetstream.clone(), Arc::clone(&stop), Arc::clone(&published));
                let publish = async move {
                    for number in 1.. {
                        if stop.load(SeqCst) {
                            return;
                        }
                        let place = accepted(&jetstream, &topic, &key, number).await;
                        published.lock().unwrap().insert((key.clone(), number), place);
                        tokio::time::sleep(pause).await;
                    }
                };
                tasks.spawn_on(publish, runtime.handle());
            }
        }
        Self { runtime, stop, published, tasks }
    }

    /// Waits until `count` more messages are accepted.
    pub(crate) fn wait_for_accepted(&self, count: usize) {
        let before = self.published.lock().unwrap().len();
        eventually("messages are accepted", || (self.published.lock().unwrap().len() >= before + count).then_some(()));
    }

    /// Waits for the messages in flight, and returns the accepted ones.
    pub(crate) fn stop(mut self) -> Published {
        self.stop.store(true, SeqCst);
        self.runtime.block_on(async { while self.tasks.join_next().await.transpose().unwrap().is_some() {} });
        std::mem::take(&mut self.published.lock().unwrap())
    }
}

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Opens a connection with fast reconnects and this timeout of replies.
pub(super) async fn connect(servers: &str, answer: Duration) -> Context {
    let servers: Vec<String> = servers.split(',').map(|server| format!("nats://{server}")).collect();
    let options = ConnectOptions::new().retry_on_initial_connect().max_reconnects(None);
    let options = options.reconnect_delay_callback(|_| Duration::from_millis(50)).request_timeout(Some(answer));
    let client = options.connect(servers).await.unwrap();
    ContextBuilder::new().timeout(answer).build(client)
}

/// Returns `None` if there is no leader yet.
async fn prepare(jetstream: &Context, replicas: usize) -> Option<()> {
    let subjects = vec!["ledger.>".to_owned()];
    let stream = jetstream::stream::Config {
        name: STREAM.to_owned(),
        subjects,
        num_replicas: replicas,
        ..jetstream::stream::Config::default()
    };
    let bucket = jetstream::kv::Config {
        bucket: BUCKET.to_owned(),
        history: 1,
        num_replicas: replicas,
        ..jetstream::kv::Config::default()
    };
    jetstream.get_or_create_stream(stream).await.ok()?;
    if jetstream.get_key_value(BUCKET).await.is_err() {
        jetstream.create_key_value(bucket).await.ok()?;
    }
    Some(())
}

/// Publishes a message under one ID until it is accepted. Returns its stream sequence.
async fn accepted(jetstream: &Context, topic: &str, key: &str, number: u64) -> u64 {
    loop {
        let message = PublishMessage::build()
            .message_id(format!("{key}/{number}"))
            .header("Tempo-Key", key)
            .payload(format!("{key} {number}").into());
        if let Ok(answer) = jetstream.send_publish(topic.to_owned(), message).await
            && let Ok(acknowledged) = answer.await
        {
            return acknowledged.sequence;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
