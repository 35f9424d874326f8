//! What an engine has written down: everything that must be there when it is opened again, and the messages themselves.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::clock::time;
use super::ids::Fingerprint;
use crate::{ConsumerConfig, DeadLetter, Error, ErrorKind, Handling, Message, Owner, Result};

/// A change of what is kept.
pub(crate) enum Change {
    /// A message was accepted. Sequences only grow.
    Publish { sequence: u64, timestamp: u64, message: Message },
    /// Nobody is to be delivered the message any more: it goes, with all that is known of its deliveries.
    Remove { sequence: u64 },
    /// How far a consumer is with a message.
    Progress { sequence: u64, consumer: u32, progress: Progress },
    /// A consumer was made, or changed.
    Consumer { id: u32, consumer: Known },
    /// A message becomes a dead letter as well. It is still there when this is written down.
    Bury(Burial),
    /// A dead letter goes.
    Exhume { letter: u64 },
    /// A message with this id was accepted; another is a duplicate until then.
    Remember { until: u64, id: Fingerprint },
    /// An id that was known until then may be used again.
    Forget { until: u64, id: Fingerprint },
}

/// How far a consumer is with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It was never delivered.
    Fresh,
    /// It was delivered `attempts` times, and comes again no earlier than `not_before`. A message that is being handled
    /// says 0: if the engine has to be opened again, nobody handles it any more.
    Delivered { attempts: u32, not_before: u64 },
    /// The consumer is done with it.
    Done,
}

/// A consumer, as it is known even when nobody has joined it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) topics: Vec<String>,
    pub(crate) ordered: bool,
    /// In milliseconds.
    pub(crate) ack_wait: u64,
    /// Earlier versions recorded neither this nor the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handling: Option<Handling>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
}

impl Known {
    pub(crate) fn new(name: &str, config: ConsumerConfig) -> Self {
        let ConsumerConfig { topics, ack_wait, ordered, handling, owner } = config;
        Self { name: name.to_owned(), topics, ordered, ack_wait: super::clock::millis(ack_wait), handling, owner }
    }

    pub(crate) fn config(&self) -> ConsumerConfig {
        let Self { name: _, topics, ordered, ack_wait, handling, owner } = self;
        let (topics, ack_wait) = (topics.clone(), Duration::from_millis(*ack_wait));
        ConsumerConfig { topics, ack_wait, ordered: *ordered, handling: handling.clone(), owner: owner.clone() }
    }
}

/// Which message becomes a dead letter, and why.
#[derive(Clone)]
pub(crate) struct Burial {
    pub(crate) letter: u64,
    pub(crate) sequence: u64,
    pub(crate) consumer: String,
    pub(crate) attempts: u32,
    pub(crate) reason: String,
    pub(crate) timestamp: u64,
}

impl Burial {
    /// The dead letter that `message` becomes.
    pub(crate) fn letter(self, message: Message) -> DeadLetter {
        DeadLetter {
            sequence: self.letter,
            message,
            reason: self.reason,
            consumer: self.consumer,
            attempts: self.attempts,
            timestamp: time(self.timestamp),
        }
    }
}

/// A message as it is kept.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) message: Message,
    /// When it was accepted, in milliseconds since 1970.
    pub(crate) timestamp: u64,
}

/// Keeps what engines write down.
pub(crate) trait Log: Send + Sync + 'static {
    /// A place in the queue of those who want something written down.
    type Room: Send;

    /// Why no messages are accepted for now, if that is so. What is accepted already is written down later.
    fn refusal(&self) -> Option<Error> {
        None
    }

    /// Waits for room.
    fn room(&self) -> impl Future<Output = Result<Self::Room>> + Send;

    /// Room, if there is some at once.
    fn room_now(&self) -> Option<Self::Room>;

    /// Writes down all `changes` or none of them, after those of every call before this one, and then reads the messages
    /// `read`. After a failure nothing is written down any more.
    fn record(&self, room: Self::Room, changes: Vec<Change>, read: Vec<u64>) -> Recorded;

    /// The first `limit` dead letters after the place `after`.
    fn letters(&self, after: Option<u64>, limit: usize) -> impl Future<Output = Result<Vec<DeadLetter>>> + Send;
}

/// What a call of [`Log::record`] has read; a message that is not there any more is `None`.
pub(crate) type Read = Vec<Option<Stored>>;

/// What comes of a call of [`Log::record`].
pub(crate) enum Recorded {
    /// It is done.
    Now(Read),
    /// It will be.
    Later(oneshot::Receiver<Result<Read>>),
}

impl Recorded {
    /// Waits until it is done.
    pub(crate) async fn wait(self) -> Result<Read> {
        match self {
            Self::Now(read) => Ok(read),
            Self::Later(answer) => answer.await.unwrap_or_else(|_| Err(failed())),
        }
    }
}

/// What is said when nothing can be kept any more.
pub(crate) fn failed() -> Error {
    Error::new(ErrorKind::Unavailable, "the broker has failed")
}
