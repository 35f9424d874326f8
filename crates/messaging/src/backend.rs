//! Traits that a messaging backend implements: [`Broker`] and [`Consumer`]; see also [`Receipt`](crate::Receipt).

use std::time::Duration;

use async_trait::async_trait;

use crate::{Adoption, Delivery, Message, Operator, Result, Subscription};

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
