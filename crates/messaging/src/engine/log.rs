//! The write-ahead log of an engine: the messages, and every change needed to restore the state.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::clock::time;
use super::ids::Fingerprint;
use crate::{ConsumerConfig, DeadLetter, Error, ErrorKind, Handling, Message, Owner, Result};

/// A logged change of the state.
pub(crate) enum Change {
    /// A message was accepted. Sequences are never reused.
    Publish { sequence: u64, timestamp: u64, message: Message },
    /// Every consumer is done with the message: removes it and its progress rows.
    Remove { sequence: u64 },
    /// The progress of a consumer with a message changed.
    Progress { sequence: u64, consumer: u32, progress: Progress },
    /// A consumer was created or changed.
    Consumer { id: u32, consumer: ConsumerRecord },
    /// A consumer was removed. It has no progress.
    RemoveConsumer { id: u32 },
    /// Copies a message to the dead letters. It is still stored when this is logged.
    DeadLetter(DeadLetterRecord),
    /// Removes a dead letter.
    RemoveDeadLetter { letter: u64 },
    /// A message with this id was accepted; until `until`, others with it are duplicates.
    Remember { until: u64, id: Fingerprint },
    /// The id has expired.
    Forget { until: u64, id: Fingerprint },
}

/// Progress of a consumer with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It was never delivered.
    Fresh,
    /// It was delivered `attempts` times, and is redelivered no earlier than `not_before`. A message in flight has 0:
    /// after a restart no handler holds it.
    Delivered { attempts: u32, not_before: u64 },
    /// The consumer is done with it.
    Done,
}

/// A consumer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConsumerRecord {
    pub(crate) name: String,
    pub(crate) topics: Vec<String>,
    pub(crate) ordered: bool,
    /// In milliseconds.
    pub(crate) ack_wait: u64,
    /// Absent in records of earlier versions, as is the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handling: Option<Handling>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Owner>,
}

impl ConsumerRecord {
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

/// A dead letter without its message.
#[derive(Clone)]
pub(crate) struct DeadLetterRecord {
    pub(crate) letter: u64,
    pub(crate) sequence: u64,
    pub(crate) consumer: String,
    pub(crate) attempts: u32,
    pub(crate) reason: String,
    pub(crate) timestamp: u64,
}

impl DeadLetterRecord {
    /// Combines the record with its `message`.
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

/// A stored message.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) message: Message,
    /// When it was accepted, in milliseconds since 1970.
    pub(crate) timestamp: u64,
}

/// Stores the changes of an engine.
pub(crate) trait Log: Send + Sync + 'static {
    /// A reserved slot in the writer's queue.
    type Permit: Send;

    /// Why no messages are accepted for now. Accepted messages are still written later.
    fn refusal(&self) -> Option<Error> {
        None
    }

    /// Reserves a slot, waiting for one if the queue is full.
    fn reserve(&self) -> impl Future<Output = Result<Self::Permit>> + Send;

    /// Reserves a slot if one is free.
    fn try_reserve(&self) -> Option<Self::Permit>;

    /// Writes all `changes` or none, after those of earlier calls, then reads the messages `read`. After a failure the
    /// log writes nothing more.
    fn record(&self, permit: Self::Permit, changes: Vec<Change>, read: Vec<u64>) -> Recorded;

    /// Returns the first `limit` dead letters after the sequence `after`.
    fn letters(&self, after: Option<u64>, limit: usize) -> impl Future<Output = Result<Vec<DeadLetter>>> + Send;
}

/// Messages read by [`Log::record`]; `None` for one that no longer exists.
pub(crate) type Read = Vec<Option<Stored>>;

/// Result of [`Log::record`].
pub(crate) enum Recorded {
    /// Already written.
    Now(Read),
    /// Resolves when the writer has committed.
    Later(oneshot::Receiver<Result<Read>>),
}

impl Recorded {
    /// Waits for the commit.
    pub(crate) async fn wait(self) -> Result<Read> {
        match self {
            Self::Now(read) => Ok(read),
            Self::Later(answer) => answer.await.unwrap_or_else(|_| Err(failed())),
        }
    }
}

/// The error after the log has failed for good.
pub(crate) fn failed() -> Error {
    Error::new(ErrorKind::Unavailable, "the broker has failed")
}
