//! A message, as it travels between components and brokers.

use bytes::Bytes;

/// The header by which a broker knows a message that it has accepted before, within two minutes.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Where answers to requests go: topics that begin so are never kept.
pub const INBOX: &str = "_INBOX.";

/// A message. The host has checked all of it before a backend sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What it is about: words separated by dots. 1-255 bytes of UTF-8 without wildcards, spaces and control characters.
    pub topic: String,
    /// Messages of one key belong together. 1-255 bytes.
    pub key: Option<String>,
    /// The media type of the payload.
    pub content_type: Option<String>,
    /// Names with values, in the order in which they were given. A name may be there several times.
    pub headers: Vec<(String, String)>,
    /// The topic on which an answer is expected.
    pub reply_to: Option<String>,
    /// The data.
    pub payload: Bytes,
}

impl Message {
    /// The first value of the header `name`, whose case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// About how many bytes it takes to keep: what limits and budgets count.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        let texts = [self.key.as_ref(), self.content_type.as_ref(), self.reply_to.as_ref()];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        [self.topic.len(), headers, texts, self.payload.len()].into_iter().fold(0, usize::saturating_add)
    }
}
