//! A message.

use bytes::Bytes;

/// The header of the message id, by which a broker drops duplicates within two minutes.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Prefix of reply topics, which brokers do not store.
pub const INBOX: &str = "_INBOX.";

/// A message. The host validates it before it calls a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The topic: words separated by dots. 1-255 bytes of UTF-8 without wildcards, spaces and control characters.
    pub topic: String,
    /// The key; ordered consumers handle messages of one key in order. 1-255 bytes.
    pub key: Option<String>,
    /// The media type of the payload.
    pub content_type: Option<String>,
    /// Header names and values, in order. Names may repeat.
    pub headers: Vec<(String, String)>,
    /// The topic for answers.
    pub reply_to: Option<String>,
    /// The payload.
    pub payload: Bytes,
}

impl Message {
    /// Creates a message without key, headers, media type and reply topic.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), ..Self::default() }
    }

    /// Sets the topic.
    #[must_use]
    pub fn with_topic(self, topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), ..self }
    }

    /// Sets the payload.
    #[must_use]
    pub fn with_payload(self, payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(self, key: impl Into<Option<String>>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// Sets the media type of the payload.
    #[must_use]
    pub fn with_content_type(self, content_type: impl Into<Option<String>>) -> Self {
        Self { content_type: content_type.into(), ..self }
    }

    /// Replaces the headers.
    #[must_use]
    pub fn with_headers(self, headers: Vec<(String, String)>) -> Self {
        Self { headers, ..self }
    }

    /// Sets the topic for answers.
    #[must_use]
    pub fn with_reply_to(self, reply_to: impl Into<Option<String>>) -> Self {
        Self { reply_to: reply_to.into(), ..self }
    }

    /// Returns the first value of the header `name`, case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The approximate stored size in bytes, which limits and budgets count.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        let texts = [self.key.as_ref(), self.content_type.as_ref(), self.reply_to.as_ref()];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        [self.topic.len(), headers, texts, self.payload.len()].into_iter().fold(0, usize::saturating_add)
    }
}
