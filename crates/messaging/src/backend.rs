//! What a backend of messaging implements.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{Adoption, Message, Owner, Result, Subscription};

/// One broker, as a component reaches it by a name that the user gave it.
///
/// The host has checked messages and subscriptions before it calls. What is published was accepted when the call ends: a
/// broker that keeps messages has it on its disk, or wherever the user wants it kept.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Publishes `messages` in their order, and tells for each, in the same order, whether it was accepted.
    ///
    /// A backend that has to try again does so under the same [`MESSAGE_ID`](crate::MESSAGE_ID).
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>>;

    /// Publishes an answer: it goes to whoever waits for it now, and is kept by nobody.
    async fn reply(&self, answer: Message) -> Result<()>;

    /// Publishes `message` with a `reply_to` of the backend's own, and collects answers until there are `replies` of them
    /// or `timeout` is over.
    ///
    /// # Errors
    ///
    /// `Timeout` if not one answer came; `NoResponders` where it is known that none can come.
    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>>;

    /// Makes the consumer of `subscription`, or joins it where it is. It is there, and misses nothing, once this returns.
    ///
    /// A broker that keeps messages decides by [`ConsumerConfig::adopt`](crate::ConsumerConfig::adopt) whether the
    /// subscription may take over an existing consumer. A refused subscription changes nothing.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] says what about the subscription or the broker is to be changed.
    async fn subscribe(&self, subscription: &Subscription) -> anyhow::Result<Box<dyn Consumer>>;

    /// Whether other programs can handle its messages. Where none can, this one handles them for as long as it serves.
    fn is_shared(&self) -> bool {
        true
    }

    /// What the user can see and do of this broker, if it keeps messages.
    fn operator(&self) -> Option<&dyn Operator> {
        None
    }
}

/// A consumer that this process has joined.
#[async_trait]
pub trait Consumer: Send {
    /// Waits until there are messages to deliver, and takes up to `most`.
    ///
    /// May be dropped at any time: what was taken and not handed over is delivered again. A lost connection is no error;
    /// the call waits until it is back.
    ///
    /// # Errors
    ///
    /// The consumer is gone for good, for example because its stream was deleted.
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>>;

    /// How the subscription took the consumer over. `None` if it made it, or the broker keeps none.
    fn adoption(&self) -> Option<&Adoption> {
        None
    }

    /// What the log says of the consumer when the runtime has started, where the broker cannot know who else has joined it.
    fn notice(&self) -> Option<String> {
        None
    }
}

/// A message that was taken from a consumer.
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// How often it has been delivered, this time included: 1 for the first.
    pub attempt: u32,
    /// When it was accepted, or where messages are not kept, when it came.
    pub timestamp: SystemTime,
    /// Its place in the stream that keeps it.
    pub sequence: Option<u64>,
    /// Why it is not for a component, where the backend has seen that before it copied the headers, which are then left out
    /// (see [`HeaderCount`](crate::HeaderCount)). Such a message is rejected with this reason.
    pub refusal: Option<String>,
    /// How the broker hears what became of it.
    pub receipt: Box<dyn Receipt>,
}

/// What tells the broker what became of a delivery. Dropped, it leaves the message to be delivered again once
/// [`Subscription::ack_wait`] is over.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// The message is done with. Returns once the broker knows it, so that it does not come again.
    async fn ack(self: Box<Self>) -> Result<()>;

    /// The message is to be delivered again, not before `delay` is over.
    async fn retry(self: Box<Self>, delay: Duration) -> Result<()>;

    /// The message is not to be delivered again: keeps it with `reason` among the dead letters, and only then lets the
    /// consumer forget it.
    async fn reject(self: Box<Self>, reason: &str) -> Result<()>;

    /// The message is still being worked on: its time starts anew.
    async fn extend(&self) -> Result<()>;
}

/// What the user can see and do of a broker that keeps messages.
#[async_trait]
pub trait Operator: Send + Sync {
    /// The stream, with its consumers.
    async fn stream(&self) -> Result<StreamInfo>;

    /// The first `limit` dead letters after the place `after`.
    async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Publishes the dead letter at `sequence` once more on its own topic, and then removes it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is none.
    async fn replay(&self, sequence: u64) -> Result<()>;

    /// Removes the dead letter at `sequence` for ever.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is none.
    async fn purge(&self, sequence: u64) -> Result<()>;

    /// Changes what a subscription may not: the topics, the position or the name of a consumer. It has no owner
    /// afterwards, so that the next subscription takes it over.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is no such consumer, or one has the new name already.
    async fn move_consumer(&self, consumer: &str, change: &ConsumerMove) -> Result<Moved>;
}

/// What an operator changes of a consumer. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMove {
    /// Its topics, each checked. Never empty.
    pub topics: Option<Vec<String>>,
    /// Where it goes on.
    pub start: Option<Start>,
    /// Its name.
    pub name: Option<String>,
}

/// Where a consumer goes on in the messages of its topics that the broker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first, even if they were handled before.
    All,
    /// With those that are published from now on.
    New,
    /// With the message at this place, or the next one.
    Sequence(u64),
}

/// What became of a consumer that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The topics that it had before.
    pub before: Vec<String>,
    /// How many messages it was to be delivered before and is not any more, if that can be counted.
    pub skipped: Option<u64>,
    /// What it is now.
    pub now: ConsumerInfo,
}

/// A stream, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// How many messages it keeps.
    pub messages: u64,
    /// How many dead letters there are.
    pub dead_letters: u64,
    /// Its consumers, by name.
    pub consumers: Vec<ConsumerInfo>,
}

/// A consumer, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// Its topics, with wildcards.
    pub topics: Vec<String>,
    /// Whose it is, if that was recorded.
    pub owner: Option<Owner>,
    /// Messages that were never delivered to it.
    pub pending: u64,
    /// Messages that were delivered and not yet acknowledged, or that wait to be delivered again.
    pub in_flight: u64,
    /// Messages that were delivered more than once and are not acknowledged.
    pub redelivered: u64,
}

/// A message that nobody is to be delivered any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place among the dead letters.
    pub sequence: u64,
    /// The message as it was published.
    pub message: Message,
    /// Why.
    pub reason: String,
    /// The consumer that gave it up.
    pub consumer: String,
    /// How often it had been delivered.
    pub attempts: u32,
    /// When it was given up.
    pub timestamp: SystemTime,
}
