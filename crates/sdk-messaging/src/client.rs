//! Clients: the brokers that a component reaches, by the names that the host knows them by.

use std::borrow::Cow;
use std::time::Duration;

use crate::bindings::tempo::messaging::producer;
use crate::{Draft, Error, Message};

/// A broker, by the name that the host knows it by. What does not name one uses `default`.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_messaging::Error> {
/// use tempo_sdk_messaging::{Client, Message};
///
/// let billing = Client::named("billing");
/// billing.publish_message(Message::new("invoices.paid").bytes("7")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    name: Cow<'static, str>,
}

impl Client {
    /// The client that the host knows as `name`. Whether there is one shows when it is used:
    /// [`NoSuchClient`](crate::ErrorKind::NoSuchClient).
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes `message`. When this returns, it was accepted: where the host keeps messages, it is kept.
    ///
    /// # Errors
    /// When the host says so; see [`ErrorKind`](crate::ErrorKind).
    pub async fn publish_message(&self, message: Draft) -> Result<(), Error> {
        Ok(producer::publish(self.name.to_string(), message.traced()).await?)
    }

    /// Publishes `messages` at once, in their order. Each has a result of its own, in the same order.
    #[must_use = "each message has a result of its own"]
    pub async fn publish_many(&self, messages: impl IntoIterator<Item = Draft>) -> Vec<Result<(), Error>> {
        let messages: Vec<_> = messages.into_iter().map(Draft::traced).collect();
        let results = producer::publish_many(self.name.to_string(), messages).await;
        results.into_iter().map(|result| result.map_err(Error::from)).collect()
    }

    /// Publishes `message` and waits for the first answer: `timeout` at most, in whole milliseconds (rounded up).
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) when none came, [`NoResponders`](crate::ErrorKind::NoResponders) where it is
    /// known that none can come.
    pub async fn request_message(&self, message: Draft, timeout: Duration) -> Result<Message, Error> {
        let answer = producer::request(self.name.to_string(), message.traced(), milliseconds(timeout)).await?;
        Ok(Message::answer_to_request(answer))
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::named("default")
    }
}

/// Publishes `messages` at once by the client `default`, in their order. Each has a result of its own, in the same order.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_messaging::Error> {
/// use tempo_sdk_messaging::{Message, publish_many};
///
/// let readings = ["17.5", "17.6"].map(|reading| Message::new("readings.cellar").bytes(reading));
/// for accepted in publish_many(readings).await {
///     accepted?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "each message has a result of its own"]
pub async fn publish_many(messages: impl IntoIterator<Item = Draft>) -> Vec<Result<(), Error>> {
    Client::default().publish_many(messages).await
}

/// Rounded up, so that a time above zero does not become zero.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_milliseconds() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1_001)), 2);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }

    /// Frameworks such as axum ask it of every handler.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: impl FnOnce(Client) -> T) {}
        send(|client| async move { client.publish_message(Message::new("a")).await });
        send(|client| async move { client.publish_many([Message::new("a")]).await });
        send(|client| async move { client.request_message(Message::new("a"), Duration::ZERO).await });
    }
}
