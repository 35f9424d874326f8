//! A consumer of a stream that this process has joined.

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
use super::letters::Letters;
use super::receipt::{Desk, StreamReceipt};
use super::stream::NamedStream;
use super::{durable, join, wire};
use crate::failure::Failure;
use crate::pull::{Event, Pull};

/// How often it is asked how far the consumer is, and what it is, at most.
const LOOK: Duration = Duration::from_secs(5);

/// What is advised where programs disagree.
pub(super) const SHARING: &str = "give the programs the same settings, or consumers of their own (--consumer, --app)";

/// How long to wait before another attempt.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct StreamConsumer {
    stream: Arc<NamedStream>,
    desk: Arc<Desk>,
    name: String,
    /// What the consumer was when it was last looked at.
    config: consumer::Config,
    adoption: Option<Adoption>,
    pull: Pull,
    /// Messages that came and were not handed over.
    taken: VecDeque<(Instant, Incoming)>,
    /// Up to where all is done, as was known a short while ago: where a consumer begins that the server forgot.
    floor: u64,
    /// Of which stream that is known.
    created: DateTime,
    looked: Instant,
}

impl StreamConsumer {
    pub(super) async fn join(
        stream: Arc<NamedStream>,
        letters: Arc<Letters>,
        subscription: &Subscription,
    ) -> anyhow::Result<Self> {
        // A subscription that is refused leaves no stream behind.
        join::check(&stream, subscription).await?;
        letters.prepare(&stream).await?;
        let (info, adoption) = join::join(&stream, subscription).await?;
        let found = stream.look().await?.ok_or_else(|| stream.wrong("the stream was deleted"))?;
        let pull = Pull::open(&stream.connection, &stream.name, &info.name, None).await?;
        let desk = Desk { connection: stream.connection.clone(), letters, ack_wait: info.config.ack_wait };
        Ok(Self {
            desk: Arc::new(desk),
            pull,
            taken: VecDeque::new(),
            floor: info.ack_floor.stream_sequence,
            created: found.cached_info().created,
            looked: Instant::now(),
            stream,
            name: info.name,
            config: info.config,
            adoption,
        })
    }

    /// How many messages the consumer can give at once.
    fn most(&self) -> usize {
        // Without a bound, it says -1.
        usize::try_from(self.config.max_ack_pending).unwrap_or(usize::MAX)
    }

    /// Keeps in mind how far the consumer is, now and then, and whether another program has changed it.
    async fn look(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let connection = &self.stream.connection;
        let Ok(stream) = connection.jetstream().get_stream_no_info(&self.stream.name).await else { return };
        let Ok(Ok(info)) = connection.ask(stream.consumer_info(&self.name)).await else { return };
        self.floor = info.ack_floor.stream_sequence;
        let changes = durable::read(&self.config).changes(&durable::read(&info.config));
        if !changes.is_empty() {
            // It is not changed back: in a rolling update the other program is the newer one.
            let consumer = &self.name;
            tracing::warn!(consumer, changes, "another program that shares this consumer has changed it; {SHARING}");
        }
        self.config = info.config;
    }

    /// Makes a consumer again that the server does not know any more. Most often it does, a moment later.
    async fn revive(&mut self) -> Result<()> {
        sleep(PAUSE).await;
        let stream = match self.stream.get().await {
            Ok(Some(stream)) => stream,
            Ok(None) => return Err(Failure::Gone.into()),
            Err(_) => return Ok(()),
        };
        match self.stream.connection.ask(stream.consumer_info(&self.name)).await {
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
                tracing::warn!(consumer, after, "the server forgot the consumer; it goes on where it was known to be");
            }
            Err(error) => tracing::warn!(%error, "the server forgot the consumer"),
        }
        Ok(())
    }

    fn delivery(&self, incoming: Incoming) -> Option<Delivery> {
        let Incoming { message, refusal } = incoming;
        let message = JetStreamMessage { message, context: self.stream.connection.jetstream().clone() };
        // Somebody else may publish on any inbox.
        let info = message.info().ok()?;
        let attempt = u32::try_from(info.delivered.max(1)).unwrap_or(u32::MAX);
        let (timestamp, sequence) = (SystemTime::from(info.published), Some(info.stream_sequence));
        let topic = message.subject.as_str();
        let content = wire::message(topic, None, message.headers.as_ref(), message.payload.clone());
        let omitted_headers = refusal.as_ref().map(|refusal| refusal.headers);
        let receipt = Box::new(StreamReceipt { desk: Arc::clone(&self.desk), message, omitted_headers });
        let refusal = refusal.map(|refusal| refusal.reason);
        Some(Delivery { message: content, attempt, timestamp, sequence, refusal, receipt })
    }
}

#[async_trait]
impl Consumer for StreamConsumer {
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>> {
        // A request for more than the consumer can give has no end.
        let most = most.clamp(1, self.most().max(1));
        loop {
            while self.taken.len() < most {
                if !self.pull.is_open() {
                    if !self.taken.is_empty() {
                        break;
                    }
                    self.look().await;
                    self.pull.ask(most).await;
                }
                let some = !self.taken.is_empty();
                match self.pull.next(some).await {
                    Event::Message(message) => {
                        let incoming = Incoming::new(*message);
                        let refused = incoming.refusal.is_some();
                        self.taken.push_back((Instant::now(), incoming));
                        if refused {
                            // Its headers took long.
                            tokio::task::yield_now().await;
                        }
                    }
                    Event::End | Event::Silent | Event::Trouble | Event::Forgotten if some => break,
                    Event::End | Event::Silent => {}
                    Event::Trouble => sleep(PAUSE).await,
                    Event::Forgotten => self.revive().await?,
                    Event::Closed => return Err(Failure::Unavailable.into()),
                }
            }
            // Nothing is awaited from here on, so that what is taken out is also handed over.
            let count = self.taken.len().min(most);
            let taken: Vec<(Instant, Incoming)> = self.taken.drain(..count).collect();
            // What lay here for too long, because a fetch was given up, comes again by itself.
            let current = taken.into_iter().filter(|(came, _)| came.elapsed() < self.desk.ack_wait);
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
    /// Gives back what was taken, so that another replica has it at once. What is still on its way comes to another one
    /// after the wait for its acknowledgement.
    fn drop(&mut self) {
        let client = self.stream.connection.client();
        for message in self.taken.drain(..).map(|(_, incoming)| incoming.message).chain(self.pull.rest()) {
            if let Some(reply) = message.reply {
                // There is room for it, or the message has to wait.
                client.publish(reply, AckKind::Nak(None).into()).now_or_never();
            }
        }
    }
}
