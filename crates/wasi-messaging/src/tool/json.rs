//! Output of `messages --json`: one complete object per line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tempo_messaging::printable;

use super::text;
use crate::{ConsumerInfo, DeadLetter, Owner, StreamInfo};

#[derive(Serialize)]
struct Stream<'a, S> {
    broker: &'a str,
    /// The components of an app that use the broker.
    #[serde(skip_serializing_if = "<[S]>::is_empty")]
    components: &'a [S],
    /// `None` for a broker without storage.
    stream: Option<&'a str>,
    messages: u64,
    dead_letters: u64,
    consumers: Vec<Consumer<'a>>,
}

#[derive(Serialize)]
struct Consumer<'a> {
    name: &'a str,
    topics: &'a [String],
    /// `None` if not recorded.
    owner: Option<&'a Owner>,
    pending: u64,
    in_flight: u64,
    redelivered: u64,
}

#[derive(Serialize)]
struct Letter<'a> {
    broker: &'a str,
    sequence: u64,
    topic: &'a str,
    reason: &'a str,
    consumer: &'a str,
    attempts: u32,
    timestamp: String,
    key: Option<&'a str>,
    content_type: Option<&'a str>,
    reply_to: Option<&'a str>,
    headers: &'a [(String, String)],
    /// In bytes.
    size: usize,
    /// Set if it is UTF-8.
    payload: Option<&'a str>,
    /// Set if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

fn line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|json| printable::json(&json).into_owned())
}

/// Formats a stream of `broker`.
pub(super) fn stream(broker: &str, components: &[String], info: &StreamInfo) -> serde_json::Result<String> {
    let StreamInfo { name, messages, dead_letters, consumers, .. } = info;
    let consumers = consumers.iter().map(|consumer| {
        let ConsumerInfo { name, topics, owner, pending, in_flight, redelivered, .. } = consumer;
        let (owner, pending, in_flight, redelivered) = (owner.as_ref(), *pending, *in_flight, *redelivered);
        Consumer { name, topics, owner, pending, in_flight, redelivered }
    });
    let (messages, dead_letters, consumers) = (*messages, *dead_letters, consumers.collect());
    line(&Stream { broker, components, stream: Some(name), messages, dead_letters, consumers })
}

/// Formats a broker without storage.
pub(super) fn no_stream(broker: &str, components: &[&str]) -> serde_json::Result<String> {
    line(&Stream { broker, components, stream: None, messages: 0, dead_letters: 0, consumers: Vec::new() })
}

/// Formats a dead letter of `broker`.
pub(super) fn letter(broker: &str, letter: &DeadLetter) -> serde_json::Result<String> {
    let DeadLetter { sequence, message, reason, consumer, attempts, timestamp, .. } = letter;
    let payload = std::str::from_utf8(&message.payload).ok();
    line(&Letter {
        broker,
        sequence: *sequence,
        topic: &message.topic,
        reason,
        consumer,
        attempts: *attempts,
        timestamp: text::time(*timestamp),
        key: message.key.as_deref(),
        content_type: message.content_type.as_deref(),
        reply_to: message.reply_to.as_deref(),
        headers: &message.headers,
        size: message.payload.len(),
        payload,
        payload_base64: payload.is_none().then(|| STANDARD.encode(&message.payload)),
    })
}
