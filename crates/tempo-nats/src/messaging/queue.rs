//! A consumer on NATS without JetStream: a queue group, of which each message reaches one member, and a bounded buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use async_nats::{Message as NatsMessage, Subscriber};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::SelectAll;
use tempo_messaging::{Consumer, Delivery, Receipt, Result, Subscription, topic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::incoming::Incoming;
use super::{core, failure, wire};
use crate::connection::Connection;
use crate::failure::Failure;

/// How many messages wait for a handler, and how many bytes. NATS has no way to say that it is enough: what comes then
/// is lost.
const WAITING: usize = 8192;
const WAITING_BYTES: usize = 16 << 20;

/// A member of a queue group.
pub(super) struct Queue {
    waiting: mpsc::Receiver<Waiting>,
    lost: Arc<Lost>,
    pump: AbortHandle,
}

/// A message, and the room that it takes.
struct Waiting {
    incoming: Incoming,
    _room: OwnedSemaphorePermit,
}

impl Queue {
    /// Joins the group. What fills the buffer runs on this runtime.
    pub(super) async fn join(connection: &Connection, subscription: &Subscription) -> anyhow::Result<Self> {
        let filters = topic::prune(&subscription.topics);
        let subscribing = async {
            let mut subscribers = SelectAll::new();
            // One group of several subjects gets a message once, also if several match.
            for filter in filters {
                let group = subscription.consumer.clone();
                subscribers.push(connection.client().queue_subscribe(filter, group).await?);
            }
            anyhow::Ok(subscribers)
        };
        let subscribers = connection.ask(subscribing).await.map_err(failure::lost)??;
        core::barrier(connection).await?;
        let (sender, waiting) = mpsc::channel(WAITING);
        let lost = Arc::new(Lost { consumer: subscription.consumer.clone(), ..Lost::default() });
        let pump = tokio::spawn(pump(subscribers, sender, Arc::clone(&lost))).abort_handle();
        Ok(Self { waiting, lost, pump })
    }
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
            return Err(Failure::Unavailable.into());
        }
        let delivery = |waiting: Waiting| {
            let Incoming { message, refusal } = waiting.incoming;
            let NatsMessage { subject, reply, headers, payload, .. } = message;
            Delivery {
                message: wire::message(&subject, reply.as_ref(), headers.as_ref(), payload),
                attempt: 1,
                timestamp: SystemTime::now(),
                sequence: None,
                refusal: refusal.map(|refusal| refusal.reason),
                receipt: Box::new(NoReceipt { lost: Arc::clone(&self.lost) }),
            }
        };
        Ok(taken.into_iter().map(delivery).collect())
    }

    /// The server says nothing of other members, which may be of another program that has the same name by accident.
    fn notice(&self) -> Option<String> {
        let group = &self.lost.consumer;
        Some(format!(
            "joined the queue group {group} of NATS: every program that subscribes under this name gets a part of its \
             messages; --consumer and --app name another one"
        ))
    }
}

/// Fills the buffer.
async fn pump(mut subscribers: SelectAll<Subscriber>, sender: mpsc::Sender<Waiting>, lost: Arc<Lost>) {
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    while let Some(message) = subscribers.next().await {
        let size = u32::try_from(message.length.min(WAITING_BYTES)).unwrap_or(u32::MAX);
        let room = Arc::clone(&room).try_acquire_many_owned(size);
        let incoming = Incoming::new(message);
        let refused = incoming.refusal.is_some();
        let taken = room.is_ok_and(|room| sender.try_send(Waiting { incoming, _room: room }).is_ok());
        if !taken {
            lost.count(&lost.slow, "messages come faster than they are handled, and NATS does not keep them");
        }
        if refused {
            // Its headers took long.
            tokio::task::yield_now().await;
        }
    }
}

/// What was lost. Nobody keeps it, so all that can be done is to say so.
#[derive(Default)]
struct Lost {
    consumer: String,
    slow: AtomicU64,
    failed: AtomicU64,
}

impl Lost {
    /// Counts one, and says so each time their number has doubled, so that a flood of losses is no flood of lines.
    fn count(&self, counter: &AtomicU64, why: &str) {
        let lost = counter.fetch_add(1, Relaxed).saturating_add(1);
        if lost.is_power_of_two() {
            tracing::warn!(consumer = %self.consumer, lost, "{why}");
        }
    }
}

/// Nobody waits for the word of what became of a message.
struct NoReceipt {
    lost: Arc<Lost>,
}

#[async_trait]
impl Receipt for NoReceipt {
    async fn ack(self: Box<Self>) -> Result<()> {
        Ok(())
    }

    async fn retry(self: Box<Self>, _delay: Duration) -> Result<()> {
        self.lost
            .count(&self.lost.failed, "messages were to be tried again, but NATS without a stream does not keep them");
        Ok(())
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        tracing::debug!(consumer = %self.lost.consumer, reason, "rejected");
        self.lost.count(&self.lost.failed, "messages were rejected, and NATS without a stream has no dead letters");
        Ok(())
    }

    async fn extend(&self) -> Result<()> {
        Ok(())
    }
}
