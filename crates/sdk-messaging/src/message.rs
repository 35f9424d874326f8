//! `Message`: a received message.

use std::fmt;

use crate::bindings::exports::tempo::messaging::handler;
use crate::bindings::tempo::messaging::types;
use crate::{Delivery, Draft, Error, ErrorKind};

/// A received message: the argument of the [`handler`](macro@crate::handler), or the reply to a request.
/// [`Message::new`] begins a message to publish.
///
/// ```
/// # mod guest {
/// use tempo_sdk_messaging::{Error, Message};
///
/// #[tempo_sdk_messaging::handler]
/// async fn handle(message: Message) -> Result<(), Error> {
///     println!("{}: {} bytes, attempt {}", message.topic(), message.bytes().len(), message.attempt());
///     Ok(())
/// }
/// # }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Message {
    host: types::Message,
    delivery: Option<Delivery>,
}

impl Message {
    /// Begins a message on `topic`: tokens separated by dots, such as `orders.created`, of 1-255 bytes in total.
    #[expect(clippy::new_ret_no_self, reason = "a message that goes begins as a draft")]
    pub fn new(topic: impl Into<String>) -> Draft {
        Draft::new(topic.into())
    }

    pub(crate) fn delivered(delivery: handler::Delivery) -> Self {
        Self { delivery: Some(Delivery::of(&delivery)), host: delivery.message }
    }

    pub(crate) fn answer_to_request(host: types::Message) -> Self {
        Self { host, delivery: None }
    }

    /// Returns the topic.
    pub fn topic(&self) -> &str {
        &self.host.topic
    }

    /// Returns the key. Messages of one key belong together.
    pub fn key(&self) -> Option<&str> {
        self.host.key.as_deref()
    }

    /// Returns the media type of the payload.
    pub fn content_type(&self) -> Option<&str> {
        self.host.content_type.as_deref()
    }

    /// Returns the first value of the header `name`, which is case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns all headers in their order. A name may occur several times.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.host.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the topic for replies, if the sender expects one.
    pub fn reply_to(&self) -> Option<&str> {
        self.host.reply_to.as_deref()
    }

    /// Returns the payload.
    pub fn bytes(&self) -> &[u8] {
        &self.host.payload
    }

    /// Returns the payload without copying it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.host.payload
    }

    /// Returns the payload as text.
    ///
    /// # Errors
    /// Returns [`Decode`](ErrorKind::Decode) if the payload is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        str::from_utf8(&self.host.payload).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// Returns the delivery metadata; `None` for the reply to a request.
    pub fn delivery(&self) -> Option<Delivery> {
        self.delivery
    }

    /// Returns the number of this delivery attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.delivery.map_or(1, |delivery| delivery.attempt)
    }

    /// Begins a reply; `None` if the sender expects none.
    ///
    /// ```
    /// # mod guest {
    /// use tempo_sdk_messaging::{Error, Message};
    ///
    /// #[tempo_sdk_messaging::handler]
    /// async fn echo(message: Message) -> Result<(), Error> {
    ///     if let Some(answer) = message.answer() {
    ///         answer.bytes(message.bytes()).publish().await?;
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    pub fn answer(&self) -> Option<Draft> {
        self.host.reply_to.clone().map(Draft::new)
    }

    /// Begins a copy of the message on another topic, without the message ID.
    pub fn forward(&self, topic: impl Into<String>) -> Draft {
        let mut host = types::Message { topic: topic.into(), ..self.host.clone() };
        host.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(crate::draft::MESSAGE_ID));
        Draft { host }
    }
}

/// Creates a message as a handler receives it, without a host: for tests of handlers.
impl From<Draft> for Message {
    fn from(draft: Draft) -> Self {
        Self { host: draft.host, delivery: None }
    }
}

/// Shows the length of the payload instead of the payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types::Message { topic, key, content_type, headers, reply_to, payload } = &self.host;
        f.debug_struct("Message")
            .field("topic", topic)
            .field("key", key)
            .field("content_type", content_type)
            .field("headers", headers)
            .field("reply_to", reply_to)
            .field("bytes", &payload.len())
            .field("delivery", &self.delivery)
            .finish()
    }
}

/// Restricts the type of a handler's argument, with a compiler message that names the right one.
#[diagnostic::on_unimplemented(
    message = "a handler of messages cannot take `{Self}`",
    label = "not a message",
    note = "take `tempo_sdk_messaging::Message`, and read the rest from it, as in `message.json()`"
)]
pub trait FromMessage {
    /// Converts the message to the argument.
    fn from_message(message: Message) -> Self;
}

impl FromMessage for Message {
    fn from_message(message: Message) -> Self {
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn delivered(message: Draft) -> Message {
        Message::delivered(handler::Delivery { message: message.host, attempt: 2, timestamp: 1_500, sequence: Some(7) })
    }

    #[test]
    fn what_was_delivered_can_be_read() {
        let message = delivered(Message::new("a").header("X-A", "1").header("x-a", "2").bytes("text"));
        assert_eq!((message.topic(), message.header("x-A"), message.text()), ("a", Some("1"), Ok("text")));
        assert_eq!(message.headers().count(), 2);
        assert_eq!(message.attempt(), 2);
        let timestamp = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        assert_eq!(message.delivery(), Some(Delivery { attempt: 2, timestamp, sequence: Some(7) }));
        let no_text = Message::from(Message::new("a").bytes([0xff]));
        assert_eq!(no_text.text().map_err(|error| error.kind()), Err(ErrorKind::Decode));
    }

    #[test]
    fn an_answer_goes_where_it_is_expected() {
        assert!(delivered(Message::new("a")).answer().is_none());
        let answer = delivered(Message::new("a").reply_to("inbox").header("x", "1").bytes("q")).answer();
        let host = answer.map(|answer| answer.host);
        assert_eq!(
            host.map(|host| (host.topic, host.headers, host.payload)),
            Some(("inbox".to_owned(), vec![], vec![]))
        );
    }

    #[test]
    fn a_message_that_is_passed_on_is_another_one() {
        let host = delivered(Message::new("a").key("k").header("x", "1").id("7").bytes("b")).forward("c").host;
        assert_eq!((host.topic.as_str(), host.key.as_deref(), host.payload.as_slice()), ("c", Some("k"), &b"b"[..]));
        assert_eq!(host.headers, [("x".to_owned(), "1".to_owned())]);
    }
}
