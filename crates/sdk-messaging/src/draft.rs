//! `Draft`: the builder of a message.

use std::time::Duration;

use crate::bindings::tempo::messaging::types;
use crate::{Client, Error, Message};

/// The header by which a broker recognizes a duplicate message.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A message under construction: it begins with [`Message::new`] and ends with [`publish`](Self::publish) or
/// [`request`](Self::request), which report invalid parts.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_messaging::Error> {
/// use tempo_sdk_messaging::Message;
///
/// Message::new("readings.cellar")
///     .key("cellar")
///     .header("unit", "celsius")
///     .content_type("text/plain")
///     .bytes("17.5")
///     .publish()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a message that is not published goes nowhere"]
pub struct Draft {
    pub(crate) host: types::Message,
}

impl Draft {
    pub(crate) fn new(topic: String) -> Self {
        let host = types::Message {
            topic,
            key: None,
            content_type: None,
            headers: Vec::new(),
            reply_to: None,
            payload: Vec::new(),
        };
        Self { host }
    }

    /// Sets the key. An ordered subscription handles the messages of one key one after the other.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.host.key = Some(key.into());
        self
    }

    /// Adds a header. A name may have several values.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.host.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the message ID for deduplication: the broker accepts messages with the same ID once within two minutes. It
    /// has no effect without persistence.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.host.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(MESSAGE_ID));
        self.header(MESSAGE_ID, id)
    }

    /// Builds the host's message, and adds the trace context headers that the message does not have.
    pub(crate) fn traced(self) -> types::Message {
        let mut host = self.host;
        let headers =
            tempo_sdk_trace::headers(|name| host.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        host.headers.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
        host
    }

    /// Sets the media type of the payload.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.host.content_type = Some(content_type.into());
        self
    }

    /// Sets the topic for replies. A [request](Self::request) sets its own.
    pub fn reply_to(mut self, topic: impl Into<String>) -> Self {
        self.host.reply_to = Some(topic.into());
        self
    }

    /// Sets the payload to `payload`, unchanged.
    pub fn bytes(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.host.payload = payload.into();
        self
    }

    /// Publishes the message with the client `default`. Returns once the broker has accepted it.
    ///
    /// # Errors
    /// Returns the host's error; see [`ErrorKind`](crate::ErrorKind).
    pub async fn publish(self) -> Result<(), Error> {
        Client::default().publish_message(self).await
    }

    /// Publishes the message with the client `default`, and waits for the first reply, for at most `timeout` in whole
    /// milliseconds (rounded up).
    ///
    /// # Errors
    /// Returns [`Timeout`](crate::ErrorKind::Timeout) if no reply arrived, and
    /// [`NoResponders`](crate::ErrorKind::NoResponders) if the broker reports that the topic has no subscriber.
    pub async fn request(self, timeout: Duration) -> Result<Message, Error> {
        Client::default().request_message(self, timeout).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_reaches_the_host() {
        let draft = Message::new("a.b").key("k").header("x", "1").header("X", "2").content_type("t/t");
        let host = draft.reply_to("c").bytes([0, 255]).host;
        assert_eq!(host.topic, "a.b");
        assert_eq!(host.key.as_deref(), Some("k"));
        assert_eq!(host.headers, [("x", "1"), ("X", "2")].map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(host.content_type.as_deref(), Some("t/t"));
        assert_eq!(host.reply_to.as_deref(), Some("c"));
        assert_eq!(host.payload, [0, 255]);
    }

    #[test]
    fn a_message_has_one_id() {
        let host = Message::new("a").header("nats-msg-id", "old").id("older").id("new").host;
        assert_eq!(host.headers, [(MESSAGE_ID.to_owned(), "new".to_owned())]);
    }
}
