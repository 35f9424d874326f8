//! The reply inbox of a broker: one wildcard subscription for all requests, so that a request needs no subscription of
//! its own and an unanswered one leaves none behind.

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
use super::{error, wire};
use crate::connection::Connection;

/// Maximum buffered answers per request.
const MAX_QUEUED_REPLIES: usize = 64;

/// Maximum bytes of answers per request.
const MAX_REPLY_BYTES: usize = 16 << 20;

type PendingReplies = Mutex<HashMap<String, mpsc::Sender<Incoming>>>;

/// The inbox of a broker.
pub(super) struct Inbox {
    prefix: String,
    waiting: Arc<PendingReplies>,
    pump: AbortHandle,
}

/// A request that awaits answers on its own reply subject.
pub(super) struct PendingReply {
    pub(super) topic: String,
    token: String,
    answers: mpsc::Receiver<Incoming>,
    waiting: Arc<PendingReplies>,
}

/// A request published on core NATS.
#[derive(Clone, Copy)]
pub(super) struct CoreRequest<'a> {
    pub(super) connection: &'a Connection,
    pub(super) topic: &'a str,
}

impl Inbox {
    /// Subscribes. The receiving task runs on the current runtime.
    pub(super) async fn open(connection: &Connection) -> tempo_settings::Result<Self> {
        let prefix = format!("{}.", connection.client().new_inbox());
        let subscriber = connection.client().subscribe(format!("{prefix}*")).await;
        let subscriber = subscriber.map_err(|error| {
            let message = "cannot subscribe to the inbox";
            tempo_settings::Error::new(tempo_settings::ErrorKind::Unavailable, message).with_source(error)
        })?;
        let waiting = Arc::default();
        let pump = tokio::spawn(pump(subscriber, prefix.clone(), Arc::clone(&waiting))).abort_handle();
        Ok(Self { prefix, waiting, pump })
    }

    /// Creates a reply subject and collects its answers from now on.
    pub(super) fn pending_reply(&self) -> PendingReply {
        let token = nuid::next().to_string();
        let (sender, answers) = mpsc::channel(MAX_QUEUED_REPLIES);
        lock(&self.waiting).insert(token.clone(), sender);
        PendingReply { topic: format!("{}{token}", self.prefix), token, answers, waiting: Arc::clone(&self.waiting) }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl PendingReply {
    /// Collects answers until there are `replies` of them or `deadline` passes. If `question` is set, JetStream publish
    /// acks that arrive on the reply subject are skipped.
    pub(super) async fn collect(
        mut self,
        replies: usize,
        deadline: Instant,
        question: Option<CoreRequest<'_>>,
    ) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        let (mut bytes, mut refused) = (0_usize, Vec::new());
        while messages.len().saturating_add(refused.len()) < replies.max(1) && bytes < MAX_REPLY_BYTES {
            let Ok(Some(incoming)) = timeout_at(deadline, self.answers.next()).await else { break };
            let Incoming { message: answer, refusal } = incoming;
            if let Some(refusal) = refusal {
                tracing::debug!(reason = refusal.reason, "refused an answer");
                refused.push(error::refused_answer(&refusal.reason));
                continue;
            }
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(error::no_responders());
            }
            if let Some(question) = question
                && timeout_at(deadline, is_publish_ack(&answer, question)).await.unwrap_or(false)
            {
                continue;
            }
            bytes = bytes.saturating_add(answer.length);
            messages.push(wire::answer(answer));
        }
        if messages.is_empty() {
            return Err(refused.pop().unwrap_or_else(error::no_answer));
        }
        Ok(messages)
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.token);
    }
}

/// Returns whether the answer is the publish ack of a stream that stores the topic.
async fn is_publish_ack(answer: &NatsMessage, question: CoreRequest<'_>) -> bool {
    let Some(stream) = wire::acknowledged_by(answer) else { return false };
    let taken = question.connection.jetstream().stream_by_subject(question.topic).await;
    taken.is_ok_and(|name| name == stream)
}

/// The deadline of a request with this timeout.
pub(super) fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    // Capped at one day.
    now.checked_add(timeout.min(Duration::from_secs(86_400))).unwrap_or(now)
}

async fn pump(mut subscriber: Subscriber, prefix: String, waiting: Arc<PendingReplies>) {
    while let Some(message) = subscriber.next().await {
        let token = message.subject.strip_prefix(prefix.as_str()).unwrap_or_default();
        let token = token.to_owned();
        let incoming = Incoming::new(message);
        let refused = incoming.refusal.is_some();
        let taken = lock(&waiting).get_mut(&token).is_some_and(|sender| sender.try_send(incoming).is_ok());
        // The request has ended or its buffer is full.
        if !taken {
            tracing::debug!("dropped an answer: its request has ended or its buffer is full");
        }
        if refused {
            // Counting many headers took long.
            tokio::task::yield_now().await;
        }
    }
}

fn lock(waiting: &PendingReplies) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Incoming>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
