//! Traits that a messaging backend implements: [`Broker`], [`Consumer`], [`Receipt`], [`Operator`].

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{Adoption, Message, Owner, Result, Subscription};

/// A message broker, configured under a name.
///
/// The host validates messages and subscriptions before it calls. A successful `publish` means that the broker has
/// accepted the message: a persistent broker has stored it.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Publishes `messages` in order and returns one result per message, in the same order.
    ///
    /// A backend retries under the same [`MESSAGE_ID`](crate::MESSAGE_ID).
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>>;

    /// Publishes an answer. Current subscribers of its topic receive it; the broker does not store it.
    async fn reply(&self, answer: Message) -> Result<()>;

    /// Publishes `message` with a `reply_to` of the backend's own, and collects answers until it has `replies` of them
    /// or `timeout` expires.
    ///
    /// # Errors
    ///
    /// `Timeout` if no answer arrives; `NoResponders` if the backend can rule out that one will.
    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>>;

    /// Creates the consumer of `subscription`, or joins an existing one. The consumer misses no message published after
    /// this returns.
    ///
    /// A persistent broker calls [`ConsumerConfig::adopt`](crate::ConsumerConfig::adopt) to decide whether the
    /// subscription may take over an existing consumer. A refused subscription changes nothing.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] that names the part of the subscription or the broker to change.
    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>>;

    /// Returns whether other programs can handle the broker's messages. If not, this process keeps fetching until it
    /// stops serving.
    fn is_shared(&self) -> bool {
        true
    }

    /// The administration interface of a persistent broker.
    fn operator(&self) -> Option<&dyn Operator> {
        None
    }
}

/// A consumer that this process has joined.
#[async_trait]
pub trait Consumer: Send {
    /// Waits until there are messages to deliver, and takes up to `most`.
    ///
    /// Cancel-safe: messages that were taken but not returned are delivered again. A lost connection is no error; the
    /// call waits until the backend has reconnected.
    ///
    /// # Errors
    ///
    /// The consumer no longer exists, for example because its stream was deleted.
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>>;

    /// How the subscription took over an existing consumer. `None` if it created the consumer, or if the broker is not
    /// persistent.
    fn adoption(&self) -> Option<&Adoption> {
        None
    }

    /// A note for the log at start, from brokers that cannot list the other members of the consumer.
    fn notice(&self) -> Option<String> {
        None
    }
}

/// A message fetched from a consumer, with the receipt that settles it.
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Number of this delivery attempt, from 1.
    pub attempt: u32,
    /// When the broker accepted the message, or, without storage, when it arrived.
    pub timestamp: SystemTime,
    /// Sequence in the stream that stores the message.
    pub sequence: Option<u64>,
    /// Why no component may receive the message. Set by backends that count headers before they copy them, and then
    /// leave them out (see [`HeaderCount`](crate::HeaderCount)). The host rejects such a message with this reason.
    pub refusal: Option<String>,
    /// Settles the delivery.
    pub receipt: Box<dyn Receipt>,
}

/// Settles one delivery. If it is dropped unused, the broker redelivers the message after [`Subscription::ack_wait`].
#[async_trait]
pub trait Receipt: Send + Sync {
    /// Acknowledges the message. Returns once the broker has confirmed it and will not redeliver.
    async fn ack(self: Box<Self>) -> Result<()>;

    /// Requests redelivery, no earlier than after `delay`.
    async fn retry(self: Box<Self>, delay: Duration) -> Result<()>;

    /// Stores the message with `reason` as a dead letter, and only then acknowledges it.
    async fn reject(self: Box<Self>, reason: &str) -> Result<()>;

    /// Restarts the message's `ack_wait`, as a handler still runs.
    async fn extend(&self) -> Result<()>;
}

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
    /// `InvalidArgument` if there is no such consumer, or if another consumer has the new name.
    async fn move_consumer(&self, consumer: &str, change: &ConsumerMove) -> Result<Moved>;
}

/// Changes to a consumer. Fields that are `None` stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMove {
    /// New topics, each validated. Never empty.
    pub topics: Option<Vec<String>>,
    /// New position.
    pub start: Option<Start>,
    /// Its name.
    pub name: Option<String>,
}

/// Position of a consumer among the stored messages of its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
pub struct Moved {
    /// Its previous topics.
    pub before: Vec<String>,
    /// Number of pending messages that the move skips, if the broker can count them.
    pub skipped: Option<u64>,
    /// The consumer after the move.
    pub now: ConsumerInfo,
}

/// State of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// State of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A message that a consumer rejected or failed to handle.
#[derive(Clone, Debug, PartialEq, Eq)]
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
