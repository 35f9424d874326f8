//! A message that came: to the handler, or as the answer to a request.

use std::fmt;

use crate::bindings::exports::tempo::messaging::handler;
use crate::bindings::tempo::messaging::types;
use crate::{Delivery, Draft, Error, ErrorKind};

/// A message that came: to the [`handler`](macro@crate::handler), or as the answer to a request. [`Message::new`] begins one
/// that goes.
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
    /// Begins a message on `topic`: words separated by dots, such as `orders.created`, of 1-255 bytes together.
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

    /// What it is about.
    pub fn topic(&self) -> &str {
        &self.host.topic
    }

    /// Messages of one key belong together.
    pub fn key(&self) -> Option<&str> {
        self.host.key.as_deref()
    }

    /// The media type of the payload.
    pub fn content_type(&self) -> Option<&str> {
        self.host.content_type.as_deref()
    }

    /// The first value of the header `name`, whose case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers, in the order in which they came. A name may be there several times.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.host.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The topic on which an answer is expected, if one is.
    pub fn reply_to(&self) -> Option<&str> {
        self.host.reply_to.as_deref()
    }

    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        &self.host.payload
    }

    /// The payload, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.host.payload
    }

    /// The payload as text.
    ///
    /// # Errors
    /// [`Decode`](ErrorKind::Decode) when it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        str::from_utf8(&self.host.payload).map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))
    }

    /// How it was delivered; `None` for the answer to a request.
    pub fn delivery(&self) -> Option<Delivery> {
        self.delivery
    }

    /// How often it has been delivered, this time included: 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.delivery.map_or(1, |delivery| delivery.attempt)
    }

    /// Begins an answer, if one is expected.
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

    /// Begins a message on another topic that is the same in everything else but its id, to pass it on.
    pub fn forward(&self, topic: impl Into<String>) -> Draft {
        let mut host = types::Message { topic: topic.into(), ..self.host.clone() };
        host.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(crate::draft::MESSAGE_ID));
        Draft { host }
    }
}

/// As if it had been delivered without a host, for tests of a handler.
impl From<Draft> for Message {
    fn from(draft: Draft) -> Self {
        Self { host: draft.host, delivery: None }
    }
}

/// The payload's length in place of the payload.
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

/// Gives the compiler words for a handler that takes something else.
#[diagnostic::on_unimplemented(
    message = "a handler of messages cannot take `{Self}`",
    label = "not a message",
    note = "take `tempo_sdk_messaging::Message`, and read the rest from it, as in `message.json()`"
)]
pub trait FromMessage {
    /// Makes the argument.
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
