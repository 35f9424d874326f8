//! `Operator`: the administration of a persistent broker, and the data that it reads and changes.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Message, Owner, Result};

/// Administration of a persistent broker.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Returns the stream and its consumers.
    async fn stream(&self) -> Result<StreamInfo>;

    /// Returns the first `limit` dead letters after the sequence `after`.
    async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Publishes the dead letter at `sequence` again on its original topic, then removes it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is none.
    async fn replay(&self, sequence: u64) -> Result<()>;

    /// Removes the dead letter at `sequence` permanently.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is none.
    async fn purge(&self, sequence: u64) -> Result<()>;

    /// Changes the topics, the position or the name of a consumer, which a subscription may not do. The consumer has no
    /// owner afterwards, so the next subscription takes it over.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such consumer, or if another consumer has the new name, `Unavailable` if a program fetches
    /// from it.
    async fn move_consumer(&self, consumer: &str, change: &ConsumerMove) -> Result<Moved>;

    /// Removes a consumer. Its pending messages stay for consumers that are created later, unless another consumer has handled them.
    /// Returns its last state.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such consumer, `Unavailable` if a program fetches from it.
    async fn remove_consumer(&self, consumer: &str) -> Result<ConsumerInfo>;
}

/// Changes to a consumer. Fields that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerMove {
    /// New topics, each validated. Never empty.
    pub topics: Option<Vec<String>>,
    /// New position.
    pub start: Option<Start>,
    /// Its name.
    pub name: Option<String>,
}

impl ConsumerMove {
    /// Sets new topics, at least one.
    #[must_use]
    pub fn with_topics(self, topics: impl Into<Option<Vec<String>>>) -> Self {
        Self { topics: topics.into(), ..self }
    }

    /// Sets a new position.
    #[must_use]
    pub fn with_start(self, start: impl Into<Option<Start>>) -> Self {
        Self { start: start.into(), ..self }
    }

    /// Sets a new name.
    #[must_use]
    pub fn with_name(self, name: impl Into<Option<String>>) -> Self {
        Self { name: name.into(), ..self }
    }
}

/// Position of a consumer among the stored messages of its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// The first message, even if it was handled before.
    All,
    /// The next message to be published.
    New,
    /// The message with this sequence, or the next one.
    Sequence(u64),
}

/// Result of moving a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Its previous topics.
    pub before: Vec<String>,
    /// Number of pending messages that the move skips, if the broker can count them.
    pub skipped: Option<u64>,
    /// The consumer after the move.
    pub now: ConsumerInfo,
}

impl Moved {
    /// Creates the result of a move that skips an unknown number of messages.
    pub fn new(before: Vec<String>, now: ConsumerInfo) -> Self {
        Self { before, skipped: None, now }
    }

    /// Sets the number of pending messages that the move skips.
    #[must_use]
    pub fn with_skipped(self, skipped: impl Into<Option<u64>>) -> Self {
        Self { skipped: skipped.into(), ..self }
    }
}

/// State of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// Number of stored messages.
    pub messages: u64,
    /// Number of dead letters.
    pub dead_letters: u64,
    /// Its consumers, by name.
    pub consumers: Vec<ConsumerInfo>,
}

impl StreamInfo {
    /// Creates the state of a stream.
    pub fn new(name: impl Into<String>, messages: u64, dead_letters: u64, consumers: Vec<ConsumerInfo>) -> Self {
        Self { name: name.into(), messages, dead_letters, consumers }
    }
}

/// State of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// Its topics, with wildcards.
    pub topics: Vec<String>,
    /// Its owner, if recorded.
    pub owner: Option<Owner>,
    /// Messages not yet delivered.
    pub pending: u64,
    /// Messages delivered and not acknowledged, including those that wait for redelivery.
    pub in_flight: u64,
    /// Unacknowledged messages that were delivered more than once.
    pub redelivered: u64,
}

impl ConsumerInfo {
    /// Creates the state of a consumer without messages.
    pub fn new(name: impl Into<String>, topics: Vec<String>) -> Self {
        Self { name: name.into(), topics, owner: None, pending: 0, in_flight: 0, redelivered: 0 }
    }

    /// Sets the owner.
    #[must_use]
    pub fn with_owner(self, owner: impl Into<Option<Owner>>) -> Self {
        Self { owner: owner.into(), ..self }
    }

    /// Sets the number of messages not yet delivered.
    #[must_use]
    pub fn with_pending(self, pending: u64) -> Self {
        Self { pending, ..self }
    }

    /// Sets the number of messages delivered and not acknowledged.
    #[must_use]
    pub fn with_in_flight(self, in_flight: u64) -> Self {
        Self { in_flight, ..self }
    }

    /// Sets the number of unacknowledged messages that were delivered more than once.
    #[must_use]
    pub fn with_redelivered(self, redelivered: u64) -> Self {
        Self { redelivered, ..self }
    }
}

/// A message that a consumer rejected or failed to handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Sequence among the dead letters.
    pub sequence: u64,
    /// The message as it was published.
    pub message: Message,
    /// Reason of the rejection.
    pub reason: String,
    /// The consumer that rejected it.
    pub consumer: String,
    /// Number of delivery attempts.
    pub attempts: u32,
    /// When it became a dead letter.
    pub timestamp: SystemTime,
}

impl DeadLetter {
    /// Creates the dead letter at `sequence`, which `consumer` rejected for `reason` after one attempt, at the Unix epoch.
    pub fn new(sequence: u64, message: Message, reason: impl Into<String>, consumer: impl Into<String>) -> Self {
        let (reason, consumer) = (reason.into(), consumer.into());
        Self { sequence, message, reason, consumer, attempts: 1, timestamp: SystemTime::UNIX_EPOCH }
    }

    /// Sets the number of delivery attempts.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Sets when it became a dead letter.
    #[must_use]
    pub fn with_timestamp(self, timestamp: SystemTime) -> Self {
        Self { timestamp, ..self }
    }

    /// Sets the message.
    #[must_use]
    pub fn with_message(self, message: Message) -> Self {
        Self { message, ..self }
    }
}
