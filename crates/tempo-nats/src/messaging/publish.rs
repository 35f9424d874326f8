//! Publishes to a stream: sends messages in a window, then awaits their acks. After a lost connection, unacknowledged
//! messages are sent again under the same id, so that the stream drops duplicates.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, HeaderValue, Subject};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tempo_messaging::Result;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::wire::OWN_ID_PREFIX;
use crate::connection::Connection;
use crate::error::NatsError;

/// Maximum messages and bytes that await their ack.
const MAX_IN_FLIGHT_MESSAGES: usize = 256;
const MAX_IN_FLIGHT_BYTES: usize = 1 << 20;

/// How long to retry a message; below the server's deduplication window of two minutes.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// A message to publish to a stream.
#[derive(Clone)]
pub(super) struct Outgoing {
    subject: Subject,
    headers: HeaderMap,
    payload: Bytes,
}

impl Outgoing {
    /// Creates a message that only the stream `stream` accepts. Adds an id if there is none.
    pub(super) fn new(stream: &str, subject: Subject, mut headers: HeaderMap, payload: Bytes) -> Self {
        headers.insert(NATS_EXPECTED_STREAM, stream);
        if headers.get(NATS_MESSAGE_ID).is_none() {
            headers.insert(NATS_MESSAGE_ID, HeaderValue::from(format!("{OWN_ID_PREFIX}{}", nuid::next())));
        }
        Self { subject, headers, payload }
    }
}

/// The stream's ack of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredMessage {
    pub(super) sequence: u64,
    /// The stream had a message with this id within its deduplication window, at `sequence`, and dropped this one.
    pub(super) is_duplicate: bool,
}

/// Publishes one message.
pub(super) async fn one(connection: &Connection, message: Outgoing) -> Result<StoredMessage> {
    let mut results = all(connection, vec![message]).await;
    results.pop().unwrap_or_else(|| Err(NatsError::Other.into()))
}

/// Publishes messages in order, and returns the ack of each.
pub(super) async fn all(connection: &Connection, messages: Vec<Outgoing>) -> Vec<Result<StoredMessage>> {
    let deadline = Instant::now() + PUBLISH_TIMEOUT;
    let mut batch = PublishBatch { connection, results: messages.iter().map(|_| Err(None)).collect(), sent: false };
    loop {
        match connection.ready().await {
            Ok(()) => batch.run(&messages).await,
            // Never sent: report the definite error.
            Err(lost) if !batch.sent => batch.give_up(lost.into()),
            Err(_) => {}
        }
        if batch.is_over() || Instant::now() >= deadline {
            break;
        }
        sleep(RETRY_PAUSE).await;
    }
    batch.give_up(NatsError::Timeout);
    let failed = |error: Option<NatsError>| error.unwrap_or(NatsError::Timeout).into();
    batch.results.into_iter().map(|result| result.map_err(failed)).collect()
}

/// Messages to publish, and their results so far.
struct PublishBatch<'a> {
    connection: &'a Connection,
    /// The result of each message. `Err(None)`: unknown, send again.
    results: Vec<std::result::Result<StoredMessage, Option<NatsError>>>,
    sent: bool,
}

/// A sent message whose ack is awaited.
struct AwaitedAck {
    index: usize,
    size: usize,
    acknowledged: BoxFuture<'static, std::result::Result<StoredMessage, PublishError>>,
}

impl PublishBatch<'_> {
    fn is_over(&self) -> bool {
        !self.results.contains(&Err(None))
    }

    fn give_up(&mut self, error: NatsError) {
        self.results.iter_mut().filter(|result| **result == Err(None)).for_each(|result| *result = Err(Some(error)));
    }

    /// Sends the messages without a result and awaits their acks, until the connection is lost.
    async fn run(&mut self, messages: &[Outgoing]) {
        let mut losses = self.connection.losses();
        let mut window: VecDeque<AwaitedAck> = VecDeque::new();
        let mut bytes = 0_usize;
        for (index, message) in messages.iter().enumerate() {
            if self.results.get(index) != Some(&Err(None)) {
                continue;
            }
            let size = message.payload.len();
            while window.len() >= MAX_IN_FLIGHT_MESSAGES
                || (bytes.saturating_add(size) > MAX_IN_FLIGHT_BYTES && !window.is_empty())
            {
                let Some(freed) = self.settle(&mut window, &mut losses).await else { return };
                bytes = bytes.saturating_sub(freed);
            }
            let sending = self.send(message);
            let sent = tokio::select! {
                biased;
                sent = sending => sent,
                _ = losses.changed() => return self.collect_acked(window),
            };
            self.sent = true;
            match sent {
                Ok(future) => {
                    window.push_back(AwaitedAck { index, size, acknowledged: acknowledged(future).boxed() });
                    bytes = bytes.saturating_add(size);
                }
                Err(error) => self.record(index, Err(error)),
            }
        }
        while !window.is_empty() {
            if self.settle(&mut window, &mut losses).await.is_none() {
                return;
            }
        }
    }

    async fn send(&self, message: &Outgoing) -> std::result::Result<PublishAckFuture, PublishError> {
        let Outgoing { subject, headers, payload } = message.clone();
        let publish = PublishMessage::build().headers(headers).payload(payload);
        self.connection.jetstream().send_publish(subject, publish).await
    }

    /// Awaits the oldest ack; returns the message's size, or `None` if the connection was lost.
    async fn settle(&mut self, window: &mut VecDeque<AwaitedAck>, losses: &mut watch::Receiver<u64>) -> Option<usize> {
        let mut oldest = window.pop_front()?;
        let result = tokio::select! {
            biased;
            result = &mut oldest.acknowledged => Some(result),
            _ = losses.changed() => None,
        };
        match result {
            Some(result) => {
                self.record(oldest.index, result);
                Some(oldest.size)
            }
            None => {
                self.collect_acked(std::mem::take(window));
                None
            }
        }
    }

    /// Takes the acks that arrived before the connection was lost.
    fn collect_acked(&mut self, window: VecDeque<AwaitedAck>) {
        for sent in window {
            if let Some(result) = sent.acknowledged.now_or_never() {
                self.record(sent.index, result);
            }
        }
    }

    fn record(&mut self, index: usize, result: std::result::Result<StoredMessage, PublishError>) {
        let result = result.map_err(|error| {
            // The stream takes the topic, so it has no leader for now.
            let leaderless = error.kind() == PublishErrorKind::StreamNotFound;
            match NatsError::from(error) {
                NatsError::Timeout | NatsError::ConnectionLost => None,
                NatsError::Unavailable if leaderless => None,
                error => Some(error),
            }
        });
        if let Some(known) = self.results.get_mut(index) {
            *known = result;
        }
    }
}

async fn acknowledged(future: PublishAckFuture) -> std::result::Result<StoredMessage, PublishError> {
    let ack = future.await?;
    Ok(StoredMessage { sequence: ack.sequence, is_duplicate: ack.duplicate })
}
