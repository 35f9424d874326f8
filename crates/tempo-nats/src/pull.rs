//! Pull requests to a JetStream consumer. A request waits at the server until a message is available and then returns
//! the available ones, up to the requested number. The client's own `fetch` and `messages` either do not wait or return
//! later messages too.

use std::time::Duration;

use async_nats::{Message as NatsMessage, StatusCode, SubscribeError, Subscriber};
#[cfg(feature = "messaging")]
use futures::FutureExt as _;
use futures::StreamExt as _;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;

/// Expiry of a request, and interval of the server's idle heartbeats.
const REQUEST_EXPIRY: Duration = Duration::from_secs(30);
const IDLE_HEARTBEAT: Duration = Duration::from_secs(5);

/// Silence after which a request is repeated.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(12);

/// Description of the status that ends a request because the next message exceeds `max_bytes`.
const MAX_BYTES_EXCEEDED: &str = "Message Size Exceeds MaxBytes";

/// How long to wait for the end of a batch after its first message. Current servers send it at once; older ones wait
/// for more messages.
const END_OF_BATCH_TIMEOUT: Duration = Duration::from_millis(10);

/// The pull requests of one consumer, one at a time.
pub(crate) struct Pull {
    connection: Connection,
    /// Subject of requests.
    subject: String,
    /// Inbox for messages.
    inbox: String,
    subscriber: Subscriber,
    losses: watch::Receiver<u64>,
    number: u64,
    open: Option<OpenRequest>,
    /// Maximum bytes per request, unless a single message has more.
    max_bytes: Option<usize>,
    /// Whether the next request waits for one message of any size: the last request returned at once although none was
    /// available, or the next message exceeds `max_bytes`.
    wait: bool,
}

/// An open request.
struct OpenRequest {
    topic: String,
    /// Number of outstanding messages, and whether any has arrived.
    left: usize,
    any: bool,
    /// When the silence timeout expires.
    silent: Instant,
}

/// Progress of a request.
pub(crate) enum Event {
    Message(Box<NatsMessage>),
    /// The request ended; send another.
    End,
    /// The request timed out in silence. Messages sent meanwhile may be lost.
    Silent,
    /// The request failed; pause before the next.
    Backoff,
    /// The consumer does not exist.
    ConsumerMissing,
    /// The connection is closed permanently.
    Closed,
}

impl Pull {
    /// Subscribes for requests to `consumer` of `stream`, each limited to `max_bytes`.
    pub(crate) async fn open(
        connection: &Connection,
        stream: &str,
        consumer: &str,
        max_bytes: Option<usize>,
    ) -> Result<Self, SubscribeError> {
        let inbox = connection.client().new_inbox();
        let losses = connection.losses();
        let subscriber = connection.client().subscribe(format!("{inbox}.*")).await?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        Ok(Self {
            connection: connection.clone(),
            subject,
            inbox,
            subscriber,
            losses,
            number: 0,
            open: None,
            max_bytes,
            wait: false,
        })
    }

    /// Returns whether a request is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Requests up to `most` messages.
    pub(crate) async fn request(&mut self, most: usize) {
        if self.connection.ready().await.is_err() {
            return;
        }
        self.losses.mark_unchanged();
        self.number = self.number.wrapping_add(1);
        let topic = format!("{}.{}", self.inbox, self.number);
        // A waiting request is for one message: it would stay open after the first.
        let (batch, no_wait) = if self.wait { (1, false) } else { (most, true) };
        let (expires, heartbeat) = (REQUEST_EXPIRY.as_nanos(), IDLE_HEARTBEAT.as_nanos());
        let (expires, heartbeat) = (u64::try_from(expires).ok(), u64::try_from(heartbeat).ok());
        let mut request =
            json!({ "batch": batch, "no_wait": no_wait, "expires": expires, "idle_heartbeat": heartbeat });
        if let (Some(max_bytes), Some(request)) = (self.max_bytes.filter(|_| !self.wait), request.as_object_mut()) {
            request.insert("max_bytes".to_owned(), max_bytes.into());
        }
        self.open = Some(OpenRequest { topic: topic.clone(), left: batch, any: false, silent: later(SILENCE_TIMEOUT) });
        let sent = self.connection.client().publish_with_reply(self.subject.clone(), topic, request.to_string().into());
        if sent.await.is_err() {
            self.open = None;
        }
    }

    /// Awaits the next event. With `some` messages received, waits only briefly for the rest of the batch.
    pub(crate) async fn next(&mut self, some: bool) -> Event {
        loop {
            let silent = self.open.as_ref().map_or_else(Instant::now, |open| open.silent);
            let limit = if some { later(END_OF_BATCH_TIMEOUT).min(silent) } else { silent };
            let message = tokio::select! {
                biased;
                message = self.subscriber.next() => message,
                changed = self.losses.changed() => {
                    self.open = None;
                    return if changed.is_ok() { Event::End } else { Event::Closed };
                }
                () = sleep_until(limit) => {
                    if limit < silent {
                        return Event::End;
                    }
                    self.open = None;
                    return Event::Silent;
                }
            };
            let Some(message) = message else { return Event::Closed };
            if let Some(event) = self.take(message) {
                return event;
            }
        }
    }

    /// Drains messages that have arrived.
    #[cfg(feature = "messaging")]
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = NatsMessage> {
        std::iter::from_fn(|| self.subscriber.next().now_or_never().flatten())
            .filter(|message| message.status.is_none())
    }

    fn take(&mut self, message: NatsMessage) -> Option<Event> {
        let Some(status) = message.status else {
            if let Some(open) = &mut self.open {
                open.any = true;
                open.left = open.left.saturating_sub(1);
                if open.left == 0 {
                    self.open = None;
                }
            }
            self.wait = false;
            return Some(Event::Message(Box::new(message)));
        };
        // Ignore the status of an earlier request.
        let open = self.open.as_mut().filter(|open| open.topic == *message.subject)?;
        if status == StatusCode::IDLE_HEARTBEAT {
            open.silent = later(SILENCE_TIMEOUT);
            return None;
        }
        let any = open.any;
        self.open = None;
        let description = message.description.as_deref().unwrap_or_default();
        match status {
            // Older servers return 404 at once although the request may wait.
            StatusCode::NOT_FOUND => self.wait = !any,
            StatusCode::TIMEOUT => self.wait = false,
            _ if description.eq_ignore_ascii_case(MAX_BYTES_EXCEEDED) => self.wait = !any,
            StatusCode::NO_RESPONDERS => return Some(Event::ConsumerMissing),
            _ if description.eq_ignore_ascii_case("Consumer Deleted") => return Some(Event::ConsumerMissing),
            _ => {
                tracing::debug!(%status, description, "a request for messages ended");
                return Some(Event::Backoff);
            }
        }
        Some(Event::End)
    }
}

fn later(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
