//! Reads the records of handlers, and checks that a stream and its consumers are idle. It uses NATS directly.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{self, PullConsumer};
use async_nats::jetstream::context::{Context, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::kv::Store;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Runtime;

use super::eventually;
use super::message_ledger::{Effects, Handled, Id, Outcome, Published};
use super::publisher::{BUCKET, STREAM, connect, runtime};

/// The number of concurrent reads.
const AT_ONCE: usize = 64;

/// The timeout of a reply, after which the request is repeated.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// An observer of the servers.
pub(crate) struct Witness {
    runtime: Runtime,
    jetstream: Context,
}

impl Witness {
    /// Connects to the servers of a URL.
    pub(crate) fn of(servers: &str) -> Self {
        let runtime = runtime();
        let jetstream = runtime.block_on(connect(servers, REPLY_TIMEOUT));
        Self { runtime, jetstream }
    }

    /// Waits until the consumers are idle, compares, and prints the counts. The keys of a consumer's messages begin
    /// with its name.
    pub(crate) fn compare(&self, what: &str, published: &Published, consumers: &[&str]) -> Outcome {
        for consumer in consumers {
            let its = published.iter().filter(|((key, _), _)| key.starts_with(consumer));
            let last = its.map(|(_, sequence)| *sequence).max().unwrap_or_default();
            // A restarted server may not have replicated the last messages yet, and report none pending.
            let done = || self.done_to(consumer).filter(|sequence| *sequence >= last);
            eventually("the consumers have acknowledged everything", done);
        }
        let effects = eventually("the effects can be read", || self.runtime.block_on(self.effects()).ok());
        let outcome = Outcome::of(published, &effects);
        eprintln!("{what}: {outcome}");
        outcome
    }

    /// Returns the last message that the consumer has acknowledged, if none is pending.
    fn done_to(&self, consumer: &str) -> Option<u64> {
        let info = self.runtime.block_on(async {
            let consumer: PullConsumer = self.jetstream.get_consumer_from_stream(consumer, STREAM).await.ok()?;
            consumer.get_info().await.ok()
        });
        info.filter(|info| info.num_pending == 0 && info.num_ack_pending == 0)
            .map(|info| info.ack_floor.stream_sequence)
    }

    async fn effects(&self) -> anyhow::Result<Effects> {
        let bucket = self.jetstream.get_key_value(BUCKET).await?;
        let keys: Vec<String> = bucket.keys().await?.try_collect().await?;
        let mut effects = Effects { dead: self.dead_letters().await?, ..Effects::default() };
        let reads = keys.into_iter().map(|key| read(&bucket, key));
        let mut values = stream::iter(reads).buffer_unordered(AT_ONCE);
        while let Some((key, text)) = values.try_next().await? {
            match key.split('/').collect::<Vec<_>>().as_slice() {
                ["effects", key, number] => {
                    effects.calls.insert(((*key).to_owned(), number.parse()?), text.lines().map(call).collect());
                }
                ["order", key] => {
                    let numbers: Result<Vec<u64>, _> = text.lines().map(str::parse).collect();
                    effects.order.insert((*key).to_owned(), numbers?);
                }
                _ => anyhow::bail!("no writer for {key}"),
            }
        }
        Ok(effects)
    }

    /// Returns the number of replicas of the dead letters.
    pub(crate) fn replicas_of_dead_letters(&self) -> usize {
        let stream = || self.runtime.block_on(self.jetstream.get_stream(format!("{STREAM}-DEAD"))).ok();
        eventually("the dead letters can be read", stream).cached_info().config.num_replicas
    }

    /// Returns the number of dead letters: none if there is no stream for them.
    async fn dead_letters(&self) -> anyhow::Result<u64> {
        match self.jetstream.get_stream(format!("{STREAM}-DEAD")).await {
            Ok(stream) => Ok(stream.cached_info().state.messages),
            Err(error) if is_missing(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the leader of the stream once every server has replicated every stream and consumer, so that any of them
    /// may stop.
    pub(crate) fn leader(&self) -> String {
        eventually("all servers are up to date", || self.runtime.block_on(self.leader_of_all()))
    }

    /// Waits for a leader of the stream other than `before`.
    pub(crate) fn leader_after(&self, before: &str) -> String {
        eventually("another server leads", || {
            let leader = self.runtime.block_on(async {
                self.jetstream.get_stream(STREAM).await.ok()?.cached_info().cluster.clone()?.leader
            });
            leader.filter(|leader| leader != before)
        })
    }

    async fn leader_of_all(&self) -> Option<String> {
        let mut leader = None;
        let mut streams = self.jetstream.streams();
        while let Some(info) = streams.next().await {
            let info = info.ok()?;
            let cluster = info.cluster?;
            let current = cluster.replicas.iter().all(|replica| replica.current && !replica.offline);
            if !current || cluster.replicas.len() + 1 != info.config.num_replicas {
                return None;
            }
            if info.config.name == STREAM {
                leader = cluster.leader;
            }
        }
        let stream = self.jetstream.get_stream(STREAM).await.ok()?;
        let mut consumers = stream.consumers();
        while let Some(info) = consumers.next().await {
            let cluster = info.ok()?.cluster?;
            cluster.replicas.iter().all(|replica| replica.current && !replica.offline).then_some(())?;
        }
        leader
    }

    /// Handles messages as the guest does, until all are handled: a reference, and a test of the comparison. `handle`
    /// returns true if the message takes effect.
    pub(crate) fn handle(&self, name: &str, mut handle: impl FnMut(&Id) -> bool) {
        let work = async {
            let stream = self.jetstream.get_stream(STREAM).await?;
            let config = consumer::pull::Config { durable_name: Some(name.to_owned()), ..Default::default() };
            let consumer = stream.get_or_create_consumer(name, config).await?;
            let bucket = self.jetstream.get_key_value(BUCKET).await?;
            let mut order = BTreeMap::<String, String>::new();
            while consumer.get_info().await?.num_pending > 0 {
                let mut batch = consumer.fetch().max_messages(500).expires(Duration::from_secs(1)).messages().await?;
                while let Some(message) = batch.next().await {
                    let message = message.map_err(anyhow::Error::from_boxed)?;
                    let text = str::from_utf8(&message.payload)?;
                    let (key, number) = text.split_once(' ').unwrap_or_default();
                    let sequence = message.info().map_err(anyhow::Error::from_boxed)?.stream_sequence;
                    if handle(&(key.to_owned(), number.parse()?)) {
                        bucket.put(format!("effects/{key}/{number}"), format!("1 {sequence} x\n").into()).await?;
                        let numbers = order.entry(key.to_owned()).or_default();
                        *numbers += &format!("{number}\n");
                        bucket.put(format!("order/{key}"), numbers.clone().into()).await?;
                    }
                    message.double_ack().await.map_err(anyhow::Error::from_boxed)?;
                }
            }
            anyhow::Ok(())
        };
        self.runtime.block_on(work).unwrap();
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

async fn read(bucket: &Store, key: String) -> anyhow::Result<(String, String)> {
    let value = bucket.get(&key).await?.unwrap_or_default();
    Ok((key, String::from_utf8(value.to_vec())?))
}

/// Parses a record of a handler.
fn call(line: &str) -> Handled {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap();
    Handled { attempt: word().parse().unwrap(), sequence: word().parse().unwrap(), call: word().to_owned() }
}
