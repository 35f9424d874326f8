//! Publishing to a stream: all messages are sent, and then their acknowledgements awaited; what was not acknowledged
//! because the connection was lost is sent again under the same id, by which the stream knows it.

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

use super::wire::OWN_ID;
use crate::connection::Connection;
use crate::failure::Failure;

/// How many messages may wait for their acknowledgement, and how many bytes.
const IN_FLIGHT: usize = 256;
const BYTES_IN_FLIGHT: usize = 1 << 20;

/// How long a message is tried. The server knows an id for two minutes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before another attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// A message on its way to a stream.
#[derive(Clone)]
pub(super) struct Outgoing {
    subject: Subject,
    headers: HeaderMap,
    payload: Bytes,
}

impl Outgoing {
    /// A message for the stream of that name, and for no other. It gets an id if it has none.
    pub(super) fn new(stream: &str, subject: Subject, mut headers: HeaderMap, payload: Bytes) -> Self {
        headers.insert(NATS_EXPECTED_STREAM, stream);
        if headers.get(NATS_MESSAGE_ID).is_none() {
            headers.insert(NATS_MESSAGE_ID, HeaderValue::from(format!("{OWN_ID}{}", nuid::next())));
        }
        Self { subject, headers, payload }
    }
}

/// Publishes one message.
pub(super) async fn one(connection: &Connection, message: Outgoing) -> Result<()> {
    let mut results = all(connection, vec![message]).await;
    results.pop().unwrap_or(Ok(()))
}

/// Publishes messages in their order, and tells of each whether it was acknowledged.
pub(super) async fn all(connection: &Connection, messages: Vec<Outgoing>) -> Vec<Result<()>> {
    let deadline = Instant::now() + PATIENCE;
    let mut attempt = Attempt { connection, results: messages.iter().map(|_| Err(None)).collect(), sent: false };
    loop {
        match connection.ready().await {
            Ok(()) => attempt.run(&messages).await,
            // If nothing was ever sent, that is known and said.
            Err(lost) if !attempt.sent => attempt.give_up(lost.into()),
            Err(_) => {}
        }
        if attempt.is_over() || Instant::now() >= deadline {
            break;
        }
        sleep(PAUSE).await;
    }
    attempt.give_up(Failure::Timeout);
    let failed = |failure: Option<Failure>| failure.unwrap_or(Failure::Timeout).into();
    attempt.results.into_iter().map(|result| result.map_err(failed)).collect()
}

/// A number of messages, and how far they are.
struct Attempt<'a> {
    connection: &'a Connection,
    /// What each ended with. An error without a cause: it is not known, and the message is to be sent again.
    results: Vec<std::result::Result<(), Option<Failure>>>,
    sent: bool,
}

/// A message that was sent.
struct Sent {
    index: usize,
    size: usize,
    acknowledged: BoxFuture<'static, std::result::Result<(), PublishError>>,
}

impl Attempt<'_> {
    fn is_over(&self) -> bool {
        !self.results.contains(&Err(None))
    }

    fn give_up(&mut self, failure: Failure) {
        self.results.iter_mut().filter(|result| **result == Err(None)).for_each(|result| *result = Err(Some(failure)));
    }

    /// Sends what has no answer, and awaits the answers, until the connection is lost.
    async fn run(&mut self, messages: &[Outgoing]) {
        let mut losses = self.connection.losses();
        let mut window: VecDeque<Sent> = VecDeque::new();
        let mut bytes = 0_usize;
        for (index, message) in messages.iter().enumerate() {
            if self.results.get(index) != Some(&Err(None)) {
                continue;
            }
            let size = message.payload.len();
            while window.len() >= IN_FLIGHT || (bytes.saturating_add(size) > BYTES_IN_FLIGHT && !window.is_empty()) {
                let Some(freed) = self.settle(&mut window, &mut losses).await else { return };
                bytes = bytes.saturating_sub(freed);
            }
            let sending = self.send(message);
            let sent = tokio::select! {
                biased;
                sent = sending => sent,
                _ = losses.changed() => return self.salvage(window),
            };
            self.sent = true;
            match sent {
                Ok(future) => {
                    window.push_back(Sent { index, size, acknowledged: acknowledged(future).boxed() });
                    bytes = bytes.saturating_add(size);
                }
                Err(error) => self.note(index, Err(error)),
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

    /// Awaits the answer to the oldest message; returns its size, or nothing if the connection was lost.
    async fn settle(&mut self, window: &mut VecDeque<Sent>, losses: &mut watch::Receiver<u64>) -> Option<usize> {
        let mut oldest = window.pop_front()?;
        let result = tokio::select! {
            biased;
            result = &mut oldest.acknowledged => Some(result),
            _ = losses.changed() => None,
        };
        match result {
            Some(result) => {
                self.note(oldest.index, result);
                Some(oldest.size)
            }
            None => {
                self.salvage(std::mem::take(window));
                None
            }
        }
    }

    /// Takes the answers that came before the connection was lost.
    fn salvage(&mut self, window: VecDeque<Sent>) {
        for sent in window {
            if let Some(result) = sent.acknowledged.now_or_never() {
                self.note(sent.index, result);
            }
        }
    }

    fn note(&mut self, index: usize, result: std::result::Result<(), PublishError>) {
        let result = result.map_err(|error| {
            // The stream takes the topic, so its leader is away, and another one will be there.
            let leaderless = error.kind() == PublishErrorKind::StreamNotFound;
            match Failure::from(error) {
                Failure::Timeout | Failure::Lost => None,
                Failure::Unavailable if leaderless => None,
                failure => Some(failure),
            }
        });
        if let Some(known) = self.results.get_mut(index) {
            *known = result;
        }
    }
}

async fn acknowledged(future: PublishAckFuture) -> std::result::Result<(), PublishError> {
    future.await.map(drop)
}
