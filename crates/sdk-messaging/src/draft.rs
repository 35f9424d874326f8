//! A message that is being written.

use std::time::Duration;

use crate::bindings::tempo::messaging::types;
use crate::{Client, Error, Message};

/// By this header a broker knows a message that it has accepted before.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// A message that is being written: begin with [`Message::new`], end with [`publish`](Self::publish) or
/// [`request`](Self::request). What is not allowed shows there.
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

    /// Messages of one key belong together: a subscription that is ordered handles them one after the other.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.host.key = Some(key.into());
        self
    }

    /// Adds a header. A name may have several values.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.host.headers.push((name.into(), value.into()));
        self
    }

    /// A name for this very message. However often it is published within two minutes, it is accepted once; where messages are
    /// not kept, it makes no difference.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.host.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(MESSAGE_ID));
        self.header(MESSAGE_ID, id)
    }

    /// The message as it goes to the host: with the trace that it is part of, unless it has headers of its own for that.
    pub(crate) fn traced(self) -> types::Message {
        let mut host = self.host;
        let headers =
            tempo_sdk_trace::headers(|name| host.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        host.headers.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
        host
    }

    /// The media type of the payload.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.host.content_type = Some(content_type.into());
        self
    }

    /// The topic on which answers are expected. A [request](Self::request) has one of its own.
    pub fn reply_to(mut self, topic: impl Into<String>) -> Self {
        self.host.reply_to = Some(topic.into());
        self
    }

    /// The payload, as it is.
    pub fn bytes(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.host.payload = payload.into();
        self
    }

    /// Publishes it by the client `default`. When this returns, the message was accepted.
    ///
    /// # Errors
    /// When the host says so; see [`ErrorKind`](crate::ErrorKind).
    pub async fn publish(self) -> Result<(), Error> {
        Client::default().publish_message(self).await
    }

    /// Publishes it by the client `default`, and waits for the first answer: `timeout` at most, in whole milliseconds (rounded
    /// up).
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) when none came, [`NoResponders`](crate::ErrorKind::NoResponders) where it is
    /// known that none can come.
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
