//! Messages of guests: an accepted one survives a line protocol unchanged, and sets no header of a server or of Tempo.

use bytes::Bytes;
use tempo_core::Limits;
use tempo_messaging::topic::check_topic;
use tempo_wasi_messaging::{MESSAGE_ID, Message, MessagingLimits, fuzzing};

use crate::input::{all_texts, check_message, seed};
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "messages",
    run,
    seeds,
    tokens: &[
        "\r\n",
        "\n",
        "\r",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{a0}",
        " ",
        ":",
        ".",
        "*",
        ">",
        "$",
        "Nats-",
        "nats-msg-id",
        "Tempo-Key",
        "tempo-",
        "Content-Type",
        "content-type",
        "é",
        "_INBOX.",
        "aaaaaaaaaaaaaaaa",
    ],
};

/// Limits that inputs reach.
const PAYLOAD_BYTES: usize = 64;
const HEADERS: usize = 4;
const HEADER_BYTES: usize = 128;

/// Checks a message.
pub fn run(data: &[u8]) -> Outcome {
    let mut limits = MessagingLimits::new(&Limits::default());
    (limits.payload, limits.headers, limits.header_bytes) = (PAYLOAD_BYTES, HEADERS, HEADER_BYTES);
    let mut message = message(data);
    if let Err(error) = fuzzing::check(&limits, &mut message) {
        check_message(&error.to_string());
        return Outcome::Refused;
    }
    let bytes: usize = message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(message.payload.len() <= PAYLOAD_BYTES && message.headers.len() <= HEADERS && bytes <= HEADER_BYTES);
    for topic in [Some(&message.topic), message.reply_to.as_ref()].into_iter().flatten() {
        assert!(check_topic(topic).is_ok() && !topic.starts_with('$'), "{topic:?}");
    }
    check_headers(message);
    Outcome::Accepted
}

/// The texts of an input: topic, key, media type, topic for answers, payload, and names and values of headers.
fn message(data: &[u8]) -> Message {
    let mut texts = all_texts(data).map(|text| text.into_owned());
    let topic = texts.next().unwrap_or_default();
    let mut optional = || texts.next().filter(|text| text != "-");
    let (key, content_type, reply_to) = (optional(), optional(), optional());
    let payload = Bytes::from(texts.next().unwrap_or_default());
    let headers = std::iter::from_fn(|| Some((texts.next()?, texts.next().unwrap_or_default()))).collect();
    let message = Message::new(topic, payload).with_key(key).with_content_type(content_type);
    message.with_headers(headers).with_reply_to(reply_to)
}

/// Writes the headers as lines and parses them leniently: any line break counts, and values are trimmed.
fn check_headers(message: Message) {
    let mut headers = message.headers;
    for (name, _) in &headers {
        let lower = name.to_ascii_lowercase();
        let is_reserved = lower.starts_with("nats-") || lower.starts_with("tempo-") || lower == "content-type";
        assert!(!is_reserved || name == MESSAGE_ID, "{name:?}");
    }
    let own = [("Tempo-Key", message.key), ("Content-Type", message.content_type)];
    headers.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let written: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = written.split(['\r', '\n', '\u{85}']).filter(|line| !line.is_empty());
    let read: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("every line is a header"))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    assert_eq!(read, headers);
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        seed(&["orders.new", "-", "-", "-", "hello"]),
        seed(&["orders.new", "customer/7", "application/json", "_INBOX.x.1", "{}", "nats-msg-id", "1", "x", ""]),
        seed(&["a", "-", "text/plain", "-", "", "X-Trace", "a b", "x", "é:", "y", "1"]),
    ]
}
