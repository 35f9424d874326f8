//! Fetches from a JetStream consumer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{self, DeliverPolicy};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{AckKind, Message as JetStreamMessage};
use async_trait::async_trait;
use futures::FutureExt as _;
use tempo_messaging::{Adoption, Consumer, Delivery, Result, Subscription};
use tokio::time::{Instant, sleep};

use super::incoming::Incoming;
use super::letters::DeadLetterStream;
use super::receipt::{AckContext, StreamReceipt};
use super::stream::NamedStream;
use super::{durable, join, wire};
use crate::error::NatsError;
use crate::pull::{Event, Pull};

/// Minimum interval between requests for the consumer's info.
const INFO_REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// Advice for programs with conflicting settings.
pub(super) const SHARING: &str = "give the programs the same settings, or consumers of their own (--consumer, --app)";

/// Pause before a retry.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct StreamConsumer {
    stream: Arc<NamedStream>,
    ack_context: Arc<AckContext>,
    name: String,
    /// The last fetched configuration.
    config: consumer::Config,
    adoption: Option<Adoption>,
    pull: Pull,
    /// Messages received and not yet returned.
    buffered: VecDeque<(Instant, Incoming)>,
    /// Recent ack floor: where to recreate a consumer that the server has lost.
    floor: u64,
    /// Creation time of the stream that `floor` refers to.
    created: DateTime,
    refreshed: Instant,
}

impl StreamConsumer {
    pub(super) async fn join(
        stream: Arc<NamedStream>,
        letters: Arc<DeadLetterStream>,
        subscription: &Subscription,
    ) -> tempo_settings::Result<Self> {
        // Check first: a refused subscription must not create streams.
        join::check(&stream, subscription).await?;
        letters.prepare(&stream).await?;
        let (info, adoption) = join::join(&stream, subscription).await?;
        let found = stream.find().await?.ok_or_else(|| stream.unavailable("the stream was deleted"))?;
        let pull = Pull::open(&stream.connection, &stream.name, &info.name, None).await;
        let pull = pull.map_err(|error| stream.unavailable(error.to_string()))?;
        let ack_context = AckContext { connection: stream.connection.clone(), letters, ack_wait: info.config.ack_wait };
        Ok(Self {
            ack_context: Arc::new(ack_context),
            pull,
            buffered: VecDeque::new(),
            floor: info.ack_floor.stream_sequence,
            created: found.cached_info().created,
            refreshed: Instant::now(),
            stream,
            name: info.name,
            config: info.config,
            adoption,
        })
    }

    /// Maximum messages in flight.
    fn max_fetch(&self) -> usize {
        // -1 means unlimited.
        usize::try_from(self.config.max_ack_pending).unwrap_or(usize::MAX)
    }

    /// Periodically refreshes the ack floor, and warns if another program changed the consumer.
    async fn refresh_info(&mut self) {
        if self.refreshed.elapsed() < INFO_REFRESH_INTERVAL {
            return;
        }
        self.refreshed = Instant::now();
        let connection = &self.stream.connection;
        let Ok(stream) = connection.jetstream().get_stream_no_info(&self.stream.name).await else { return };
        let Ok(Ok(info)) = connection.request(stream.consumer_info(&self.name)).await else { return };
        self.floor = info.ack_floor.stream_sequence;
        let changes = durable::read(&self.config).changes(&durable::read(&info.config));
        if !changes.is_empty() {
            // Not reverted: in a rolling update the other program is the newer one.
            let consumer = &self.name;
            tracing::warn!(consumer, changes, "another program that shares this consumer has changed it; {SHARING}");
        }
        self.config = info.config;
    }

    /// Recreates a consumer that the server has lost. Usually it is back a moment later.
    async fn recreate(&mut self) -> Result<()> {
        sleep(RETRY_PAUSE).await;
        let stream = match self.stream.get().await {
            Ok(Some(stream)) => stream,
            Ok(None) => return Err(NatsError::Gone.into()),
            Err(_) => return Ok(()),
        };
        match self.stream.connection.request(stream.consumer_info(&self.name)).await {
            Ok(Err(error)) if error.kind() == ConsumerInfoErrorKind::NotFound => {}
            _ => return Ok(()),
        }
        let created = stream.cached_info().created;
        if created != self.created {
            (self.created, self.floor) = (created, 0);
        }
        let start = match self.floor {
            0 => DeliverPolicy::All,
            floor => DeliverPolicy::ByStartSequence { start_sequence: floor.saturating_add(1) },
        };
        let mut config = self.config.clone();
        (config.durable_name, config.deliver_policy) = (Some(self.name.clone()), start);
        match join::create(&self.stream, &stream, config).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                let (consumer, after) = (&self.name, self.floor);
                tracing::warn!(
                    consumer,
                    after,
                    "the server lost the consumer; recreated it at its last known position"
                );
            }
            Err(error) => tracing::warn!(%error, "the server lost the consumer"),
        }
        Ok(())
    }

    fn delivery(&self, incoming: Incoming) -> Option<Delivery> {
        let Incoming { message, refusal } = incoming;
        let message = JetStreamMessage { message, context: self.stream.connection.jetstream().clone() };
        // Other clients may publish to the inbox.
        let info = message.info().ok()?;
        let attempt = u32::try_from(info.delivered.max(1)).unwrap_or(u32::MAX);
        let (timestamp, sequence) = (SystemTime::from(info.published), Some(info.stream_sequence));
        let topic = message.subject.as_str();
        let content = wire::message(topic, None, message.headers.as_ref(), message.payload.clone());
        let omitted_headers = refusal.as_ref().map(|refusal| refusal.headers);
        let receipt = Box::new(StreamReceipt { ack_context: Arc::clone(&self.ack_context), message, omitted_headers });
        let refusal = refusal.map(|refusal| refusal.reason);
        Some(Delivery::new(content, attempt, timestamp, receipt).with_sequence(sequence).with_refusal(refusal))
    }
}

#[async_trait]
impl Consumer for StreamConsumer {
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>> {
        // The server never completes a request for more than the consumer may have in flight.
        let most = most.clamp(1, self.max_fetch().max(1));
        loop {
            while self.buffered.len() < most {
                if !self.pull.is_open() {
                    if !self.buffered.is_empty() {
                        break;
                    }
                    self.refresh_info().await;
                    self.pull.request(most).await;
                }
                let some = !self.buffered.is_empty();
                match self.pull.next(some).await {
                    Event::Message(message) => {
                        let incoming = Incoming::new(*message);
                        let refused = incoming.refusal.is_some();
                        self.buffered.push_back((Instant::now(), incoming));
                        if refused {
                            // Counting many headers took long.
                            tokio::task::yield_now().await;
                        }
                    }
                    Event::End | Event::Silent | Event::Backoff | Event::ConsumerMissing if some => break,
                    Event::End | Event::Silent => {}
                    Event::Backoff => sleep(RETRY_PAUSE).await,
                    Event::ConsumerMissing => self.recreate().await?,
                    Event::Closed => return Err(NatsError::Unavailable.into()),
                }
            }
            // No await from here on, so that drained messages are returned.
            let count = self.buffered.len().min(most);
            let buffered: Vec<(Instant, Incoming)> = self.buffered.drain(..count).collect();
            // Messages buffered longer than `ack_wait`, after a cancelled fetch, are redelivered by the server.
            let current = buffered.into_iter().filter(|(came, _)| came.elapsed() < self.ack_context.ack_wait);
            let deliveries: Vec<Delivery> = current.filter_map(|(_, incoming)| self.delivery(incoming)).collect();
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    fn adoption(&self) -> Option<&Adoption> {
        self.adoption.as_ref()
    }
}

impl Drop for StreamConsumer {
    /// Naks buffered messages, so that another replica gets them at once. Messages still in transit are redelivered
    /// after `ack_wait`.
    fn drop(&mut self) {
        let client = self.stream.connection.client();
        for message in self.buffered.drain(..).map(|(_, incoming)| incoming.message).chain(self.pull.rest()) {
            if let Some(reply) = message.reply {
                // Best effort: without buffer space the message waits for `ack_wait`.
                client.publish(reply, AckKind::Nak(None).into()).now_or_never();
            }
        }
    }
}
