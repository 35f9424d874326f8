//! `Client`: a broker, identified by the host's name for it.

use std::borrow::Cow;
use std::time::Duration;

use crate::bindings::tempo::messaging::producer;
use crate::{Draft, Error, Message};

/// A broker, identified by the host's name for it. Functions without a client use `default`.
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
    /// Creates the client `name`. An unknown name fails on first use, with
    /// [`NoSuchClient`](crate::ErrorKind::NoSuchClient).
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into() }
    }

    /// Returns the client's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes `message`. Returns once the broker has accepted it; a persistent broker has then stored it.
    ///
    /// # Errors
    /// Returns the host's error; see [`ErrorKind`](crate::ErrorKind).
    pub async fn publish_message(&self, message: Draft) -> Result<(), Error> {
        Ok(producer::publish(self.name.to_string(), message.traced()).await?)
    }

    /// Publishes `messages` in one call, in order. Returns one result per message, in the same order.
    #[must_use = "each message has a result of its own"]
    pub async fn publish_many(&self, messages: impl IntoIterator<Item = Draft>) -> Vec<Result<(), Error>> {
        let messages: Vec<_> = messages.into_iter().map(Draft::traced).collect();
        let results = producer::publish_many(self.name.to_string(), messages).await;
        results.into_iter().map(|result| result.map_err(Error::from)).collect()
    }

    /// Publishes `message` and waits for the first reply, for at most `timeout` in whole milliseconds (rounded up).
    ///
    /// # Errors
    /// Returns [`Timeout`](crate::ErrorKind::Timeout) if no reply arrived, and
    /// [`NoResponders`](crate::ErrorKind::NoResponders) if the broker reports that the topic has no subscriber.
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

/// Publishes `messages` in one call with the client `default`, in order. Returns one result per message, in the same
/// order.
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

/// Converts to milliseconds, rounded up so that a timeout above zero does not become zero.
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

    /// Frameworks such as axum require `Send` futures of every handler.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: impl FnOnce(Client) -> T) {}
        send(|client| async move { client.publish_message(Message::new("a")).await });
        send(|client| async move { client.publish_many([Message::new("a")]).await });
        send(|client| async move { client.request_message(Message::new("a"), Duration::ZERO).await });
    }
}
