//! Asking the server for messages. A request says how many are wanted, waits at the server until there is one, and ends
//! with those that are there: no more than was asked for, and nothing that comes later.

use std::time::Duration;

use async_nats::{Message as NatsMessage, StatusCode, SubscribeError, Subscriber};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;

/// How long a request waits at the server, and how often the server says meanwhile that it is still there.
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a server may be silent before it is asked again.
const SILENCE: Duration = Duration::from_secs(12);

/// What the server says when the next message does not fit into what a request still has room for.
const TOO_LARGE: &str = "Message Size Exceeds MaxBytes";

/// How long to wait for the end of a request of which messages have come. It comes with them, unless the server is one
/// of the older kind that waits for more.
const REST: Duration = Duration::from_millis(10);

/// The open requests of one consumer, of which there is one at a time.
pub(crate) struct Pull {
    connection: Connection,
    /// Where requests go.
    subject: String,
    /// Where messages come.
    inbox: String,
    subscriber: Subscriber,
    losses: watch::Receiver<u64>,
    number: u64,
    open: Option<Open>,
    /// How many bytes one request may bring, unless a single message has more.
    max_bytes: Option<usize>,
    /// Whether the next request is for one message, of any size, and waits for it: the last one had no answer at once, although
    /// it should have waited for one, or the next message is too large for it.
    wait: bool,
}

/// A request at the server.
struct Open {
    topic: String,
    /// How many messages may still come, and whether any has.
    left: usize,
    any: bool,
    /// When the server has been silent for too long.
    silent: Instant,
}

/// What came of a request.
pub(crate) enum Event {
    Message(Box<NatsMessage>),
    /// There is no more for now, and another request is needed.
    End,
    /// The same, because the server has said nothing for too long. What it sent meanwhile may be lost.
    Silent,
    /// The same, and the server should be left alone for a moment.
    Trouble,
    /// The server knows of no such consumer.
    Forgotten,
    /// The connection is closed for good.
    Closed,
}

impl Pull {
    /// Requests to `consumer` of `stream`, none of which brings more than `max_bytes` ahead.
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

    /// Whether a request is open.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Asks for `most` messages.
    pub(crate) async fn ask(&mut self, most: usize) {
        if self.connection.ready().await.is_err() {
            return;
        }
        self.losses.mark_unchanged();
        self.number = self.number.wrapping_add(1);
        let topic = format!("{}.{}", self.inbox, self.number);
        // One that waits is for one message: it would stay open after the first.
        let (batch, no_wait) = if self.wait { (1, false) } else { (most, true) };
        let (expires, heartbeat) = (EXPIRES.as_nanos(), HEARTBEAT.as_nanos());
        let (expires, heartbeat) = (u64::try_from(expires).ok(), u64::try_from(heartbeat).ok());
        let mut request =
            json!({ "batch": batch, "no_wait": no_wait, "expires": expires, "idle_heartbeat": heartbeat });
        if let (Some(max_bytes), Some(request)) = (self.max_bytes.filter(|_| !self.wait), request.as_object_mut()) {
            request.insert("max_bytes".to_owned(), max_bytes.into());
        }
        self.open = Some(Open { topic: topic.clone(), left: batch, any: false, silent: later(SILENCE) });
        let sent = self.connection.client().publish_with_reply(self.subject.clone(), topic, request.to_string().into());
        if sent.await.is_err() {
            self.open = None;
        }
    }

    /// What comes next. If messages have come already, what belongs to them is not waited for long.
    pub(crate) async fn next(&mut self, some: bool) -> Event {
        loop {
            let silent = self.open.as_ref().map_or_else(Instant::now, |open| open.silent);
            let limit = if some { later(REST).min(silent) } else { silent };
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

    /// What came before now and was not taken.
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
        // A word about an earlier request says nothing about this one.
        let open = self.open.as_mut().filter(|open| open.topic == *message.subject)?;
        if status == StatusCode::IDLE_HEARTBEAT {
            open.silent = later(SILENCE);
            return None;
        }
        let any = open.any;
        self.open = None;
        let description = message.description.as_deref().unwrap_or_default();
        match status {
            // Older servers answer at once that there is nothing, although the request may wait.
            StatusCode::NOT_FOUND => self.wait = !any,
            StatusCode::TIMEOUT => self.wait = false,
            _ if description.eq_ignore_ascii_case(TOO_LARGE) => self.wait = !any,
            StatusCode::NO_RESPONDERS => return Some(Event::Forgotten),
            _ if description.eq_ignore_ascii_case("Consumer Deleted") => return Some(Event::Forgotten),
            _ => {
                tracing::debug!(%status, description, "a request for messages ended");
                return Some(Event::Trouble);
            }
        }
        Some(Event::End)
    }
}

fn later(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
