//! Records of messages and dead letters: JSON without the payload, which has its own table. Opening an engine reads no
//! payloads.

use bytes::Bytes;
use redb::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::{DeadLetterRecord, Stored};
use crate::{DeadLetter, Message};

/// A message without its payload.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// When it was accepted, in milliseconds since the Unix epoch.
    timestamp: u64,
    /// Size of the message, in bytes.
    pub(super) size: usize,
    pub(super) topic: String,
    pub(super) key: Option<String>,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    reply_to: Option<String>,
}

impl Head {
    /// Splits a message.
    pub(super) fn of(message: Message, timestamp: u64) -> (Self, Bytes) {
        let size = message.size();
        let Message { topic, key, content_type, headers, reply_to, payload } = message;
        (Self { timestamp, size, topic, key, content_type, headers, reply_to }, payload)
    }

    /// Restores the message.
    pub(super) fn with(self, payload: Bytes) -> Stored {
        let Self { timestamp, size: _, topic, key, content_type, headers, reply_to } = self;
        Stored { message: Message { topic, key, content_type, headers, reply_to, payload }, timestamp }
    }
}

/// A dead letter without its payload.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) head: Head,
    reason: String,
    consumer: String,
    attempts: u32,
    timestamp: u64,
}

impl Letter {
    pub(super) fn of(head: Head, dead_letter: DeadLetterRecord) -> Self {
        let DeadLetterRecord { consumer, attempts, reason, timestamp, .. } = dead_letter;
        Self { head, reason, consumer, attempts, timestamp }
    }

    pub(super) fn with(self, letter: u64, payload: Bytes) -> DeadLetter {
        let Self { head, reason, consumer, attempts, timestamp } = self;
        let dead_letter = DeadLetterRecord { letter, sequence: 0, consumer, attempts, reason, timestamp };
        dead_letter.letter(head.with(payload).message)
    }
}

pub(super) fn write(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|error| Error::Io(error.into()))
}

pub(super) fn read<T: DeserializeOwned>(record: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(record).map_err(|error| Error::Corrupted(format!("a record cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = || Some("\"ä\0\u{10ffff}".to_owned());
        let full = Message {
            topic: "a.b".into(),
            key: text(),
            content_type: text(),
            headers: vec![("X".into(), "1".into()), ("x".into(), String::new())],
            reply_to: text(),
            payload: Bytes::from_static(b"\0payload\xff"),
        };
        for message in [full, Message { topic: "a".into(), ..Message::default() }] {
            let (head, payload) = Head::of(message.clone(), 7);
            assert_eq!(head.size, message.size());
            let head: Head = read(&write(&head).unwrap()).unwrap();
            let stored = head.with(payload);
            assert_eq!((stored.message, stored.timestamp), (message, 7));
        }
    }

    #[test]
    fn what_is_no_record_is_damage() {
        for bytes in [b"".as_slice(), b"{}", b"{\"timestamp\":-1}", b"\xff"] {
            assert!(matches!(read::<Head>(bytes), Err(Error::Corrupted(_))));
        }
    }
}
