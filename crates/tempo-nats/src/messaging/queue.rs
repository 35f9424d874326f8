//! A consumer on core NATS: a queue group with a bounded buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use async_nats::client::SubscribeError;
use async_nats::{Message as NatsMessage, Subscriber};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::SelectAll;
use tempo_messaging::{Consumer, Delivery, Receipt, Result, Subscription, topic};
use tempo_settings::{Error, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::incoming::Incoming;
use super::{core, error, wire};
use crate::connection::Connection;
use crate::error::NatsError;

/// Maximum buffered messages and bytes. Core NATS has no flow control: further messages are dropped.
const MAX_QUEUED_MESSAGES: usize = 8192;
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// A member of a queue group.
pub(super) struct Queue {
    waiting: mpsc::Receiver<QueuedMessage>,
    lost: Arc<LossCounters>,
    pump: AbortHandle,
}

/// A buffered message with its share of the buffer.
struct QueuedMessage {
    incoming: Incoming,
    _permit: OwnedSemaphorePermit,
}

impl Queue {
    /// Joins the group. The receiving task runs on the current runtime.
    pub(super) async fn join(connection: &Connection, subscription: &Subscription) -> tempo_settings::Result<Self> {
        let filters = topic::prune(&subscription.topics);
        let subscribing = async {
            let mut subscribers = SelectAll::new();
            // One group over several subjects receives a message once, even if several match.
            for filter in filters {
                let group = subscription.consumer.clone();
                subscribers.push(connection.client().queue_subscribe(filter, group).await?);
            }
            Ok(subscribers)
        };
        let subscribers = connection.request(subscribing).await.map_err(|lost| not_subscribed(error::lost(lost)))?;
        let subscribers = subscribers.map_err(|error: SubscribeError| not_subscribed(error))?;
        core::barrier(connection).await.map_err(not_subscribed)?;
        let (sender, waiting) = mpsc::channel(MAX_QUEUED_MESSAGES);
        let lost = Arc::new(LossCounters { consumer: subscription.consumer.clone(), ..LossCounters::default() });
        let pump = tokio::spawn(pump(subscribers, sender, Arc::clone(&lost))).abort_handle();
        Ok(Self { waiting, lost, pump })
    }
}

fn not_subscribed(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unavailable, "cannot subscribe").with_source(cause)
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

#[async_trait]
impl Consumer for Queue {
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>> {
        let mut taken = Vec::new();
        if self.waiting.recv_many(&mut taken, most.max(1)).await == 0 {
            return Err(NatsError::Unavailable.into());
        }
        let delivery = |waiting: QueuedMessage| {
            let Incoming { message, refusal } = waiting.incoming;
            let NatsMessage { subject, reply, headers, payload, .. } = message;
            Delivery::new(
                wire::message(&subject, reply.as_ref(), headers.as_ref(), payload),
                1,
                SystemTime::now(),
                Box::new(NoReceipt { lost: Arc::clone(&self.lost) }),
            )
            .with_refusal(refusal.map(|refusal| refusal.reason))
        };
        Ok(taken.into_iter().map(delivery).collect())
    }

    /// The server does not list other members, which may belong to another program with the same name.
    fn notice(&self) -> Option<String> {
        let group = &self.lost.consumer;
        Some(format!(
            "joined the queue group {group} of NATS: every program that subscribes under this name gets a part of its \
             messages; --consumer and --app name another one"
        ))
    }
}

/// Moves messages into the buffer.
async fn pump(mut subscribers: SelectAll<Subscriber>, sender: mpsc::Sender<QueuedMessage>, lost: Arc<LossCounters>) {
    let budget = Arc::new(Semaphore::new(MAX_QUEUED_BYTES));
    while let Some(message) = subscribers.next().await {
        let size = u32::try_from(message.length.min(MAX_QUEUED_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&budget).try_acquire_many_owned(size);
        let incoming = Incoming::new(message);
        let refused = incoming.refusal.is_some();
        let taken = permit.is_ok_and(|permit| sender.try_send(QueuedMessage { incoming, _permit: permit }).is_ok());
        if !taken {
            lost.count(
                &lost.slow,
                "dropped messages: they arrive faster than they are handled, and core NATS does not store them",
            );
        }
        if refused {
            // Counting many headers took long.
            tokio::task::yield_now().await;
        }
    }
}

/// Counts lost messages, which can only be logged.
#[derive(Default)]
struct LossCounters {
    consumer: String,
    slow: AtomicU64,
    failed: AtomicU64,
}

impl LossCounters {
    /// Counts a loss, and logs each time the count has doubled.
    fn count(&self, counter: &AtomicU64, why: &str) {
        let lost = counter.fetch_add(1, Relaxed).saturating_add(1);
        if lost.is_power_of_two() {
            tracing::warn!(consumer = %self.consumer, lost, "{why}");
        }
    }
}

/// Core NATS has no acknowledgements: ack and extend are no-ops, failures are only counted.
struct NoReceipt {
    lost: Arc<LossCounters>,
}

#[async_trait]
impl Receipt for NoReceipt {
    async fn ack(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    async fn retry(self: Box<Self>, _delay: Duration) -> Result<()> {
        self.lost.count(&self.lost.failed, "lost messages to be retried: core NATS does not store them");
        Ok(())
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        tracing::debug!(consumer = %self.lost.consumer, reason, "rejected");
        self.lost.count(&self.lost.failed, "lost rejected messages: core NATS has no dead letters");
        Ok(())
    }

    async fn extend(&self) -> Result<()> {
        Ok(())
    }
}
