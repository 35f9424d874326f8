//! Where answers to requests come: one subscription for all requests of a broker, so that a request costs the server no
//! subscription of its own, and one that nobody answers leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use futures::StreamExt as _;
use futures::channel::mpsc;
use tempo_messaging::{Message, Result};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::incoming::Incoming;
use super::{failure, wire};
use crate::connection::Connection;

/// How many answers to one request may wait to be taken.
const WAITING: usize = 64;

/// How many bytes of answers one request collects.
const MOST_BYTES: usize = 16 << 20;

type Waiting = Mutex<HashMap<String, mpsc::Sender<Incoming>>>;

/// The inbox of a broker.
pub(super) struct Inbox {
    prefix: String,
    waiting: Arc<Waiting>,
    pump: AbortHandle,
}

/// A topic that one request gives to those who answer.
pub(super) struct Slip {
    pub(super) topic: String,
    token: String,
    answers: mpsc::Receiver<Incoming>,
    waiting: Arc<Waiting>,
}

/// A request that went out by NATS alone.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) connection: &'a Connection,
    pub(super) topic: &'a str,
}

impl Inbox {
    /// Subscribes. What brings the answers runs on this runtime.
    pub(super) async fn open(connection: &Connection) -> anyhow::Result<Self> {
        let prefix = format!("{}.", connection.client().new_inbox());
        let subscriber = connection.client().subscribe(format!("{prefix}*")).await?;
        let waiting = Arc::default();
        let pump = tokio::spawn(pump(subscriber, prefix.clone(), Arc::clone(&waiting))).abort_handle();
        Ok(Self { prefix, waiting, pump })
    }

    /// A new topic, at which answers are collected from now on.
    pub(super) fn slip(&self) -> Slip {
        let token = nuid::next().to_string();
        let (sender, answers) = mpsc::channel(WAITING);
        lock(&self.waiting).insert(token.clone(), sender);
        Slip { topic: format!("{}{token}", self.prefix), token, answers, waiting: Arc::clone(&self.waiting) }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Slip {
    /// Waits for answers, until there are `replies` of them or it is time. With the `question` they are told from the word of
    /// a stream that it has kept it.
    pub(super) async fn collect(
        mut self,
        replies: usize,
        deadline: Instant,
        question: Option<Question<'_>>,
    ) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        let (mut bytes, mut refused) = (0_usize, Vec::new());
        while messages.len().saturating_add(refused.len()) < replies.max(1) && bytes < MOST_BYTES {
            let Ok(Some(incoming)) = timeout_at(deadline, self.answers.next()).await else { break };
            let Incoming { message: answer, refusal } = incoming;
            if let Some(refusal) = refusal {
                tracing::debug!(reason = refusal.reason, "an answer is refused");
                refused.push(failure::refused_answer(&refusal.reason));
                continue;
            }
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(failure::no_responders());
            }
            if let Some(question) = question
                && timeout_at(deadline, is_acknowledgement(&answer, question)).await.unwrap_or(false)
            {
                continue;
            }
            bytes = bytes.saturating_add(answer.length);
            messages.push(wire::answer(answer));
        }
        if messages.is_empty() {
            return Err(refused.pop().unwrap_or_else(failure::no_answer));
        }
        Ok(messages)
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.token);
    }
}

/// Whether the answer is that of a stream which takes messages of the topic, and acknowledges them to whoever expects an
/// answer.
async fn is_acknowledgement(answer: &NatsMessage, question: Question<'_>) -> bool {
    let Some(stream) = wire::acknowledged_by(answer) else { return false };
    let taken = question.connection.jetstream().stream_by_subject(question.topic).await;
    taken.is_ok_and(|name| name == stream)
}

/// When a request that may take `timeout` ends.
pub(super) fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    // Who can wait for ages can wait for a day.
    now.checked_add(timeout.min(Duration::from_secs(86_400))).unwrap_or(now)
}

async fn pump(mut subscriber: Subscriber, prefix: String, waiting: Arc<Waiting>) {
    while let Some(message) = subscriber.next().await {
        let token = message.subject.strip_prefix(prefix.as_str()).unwrap_or_default();
        let token = token.to_owned();
        let incoming = Incoming::new(message);
        let refused = incoming.refusal.is_some();
        let taken = lock(&waiting).get_mut(&token).is_some_and(|sender| sender.try_send(incoming).is_ok());
        // More than are wanted, or nobody waits any more.
        if !taken {
            tracing::debug!("an answer came that nobody waits for");
        }
        if refused {
            // Its headers took long.
            tokio::task::yield_now().await;
        }
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Incoming>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
