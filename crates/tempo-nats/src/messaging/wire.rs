//! Converts messages to and from NATS. Fields without a counterpart in NATS travel as headers.

use std::str::FromStr as _;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Message as NatsMessage, Subject};
use bytes::Bytes;
use tempo_messaging::{Error, ErrorKind, MESSAGE_ID, Message, Result};

use super::error;

/// Larger than any publish ack of JetStream, in bytes.
const MAX_ACK_BYTES: usize = 1024;

/// The message key.
const KEY_HEADER: &str = "Tempo-Key";

/// The media type, as in other programs.
const CONTENT_TYPE_HEADER: &str = "Content-Type";

/// The reply topic: JetStream uses the reply subject for acks.
const REPLY_TO_HEADER: &str = "Tempo-Reply-To";

/// The guest's message id, where the server needs another one.
pub(super) const GIVEN_ID_HEADER: &str = "Tempo-Message-Id";

/// Prefix of generated message ids, which guests do not see.
pub(super) const OWN_ID_PREFIX: &str = "tempo:";

/// Prefixes of the headers of NATS and Tempo.
const RESERVED_PREFIXES: [&str; 2] = ["nats-", "tempo-"];

/// Converts a topic to a subject.
///
/// # Errors
///
/// The topic begins with `$`: publishing there commands the server.
pub(super) fn subject(topic: &str) -> Result<Subject> {
    if topic.starts_with('$') {
        return Err(Error::new(ErrorKind::AccessDenied, "topics that begin with $ are the server's own"));
    }
    Subject::validated(topic).map_err(|_| error::invalid("the topic is no subject of NATS"))
}

/// Converts the headers of a message, without its `reply_to`.
///
/// # Errors
///
/// NATS cannot carry a header unchanged.
pub(super) fn headers(message: &Message) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        append(&mut headers, message, name, value)?;
    }
    if let Some(key) = &message.key {
        headers.insert(KEY_HEADER, value(KEY_HEADER, key)?);
    }
    if let Some(content_type) = &message.content_type {
        headers.insert(CONTENT_TYPE_HEADER, value(CONTENT_TYPE_HEADER, content_type)?);
    }
    Ok(headers)
}

/// Adds the reply topic as a header, for consumers of a stream.
pub(super) fn set_reply_to(headers: &mut HeaderMap, topic: &str) -> Result<()> {
    headers.insert(REPLY_TO_HEADER, value(REPLY_TO_HEADER, topic)?);
    Ok(())
}

fn append(headers: &mut HeaderMap, message: &Message, name: &str, text: &str) -> Result<()> {
    let value = value(name, text)?;
    if name.eq_ignore_ascii_case(MESSAGE_ID) {
        if headers.get(NATS_MESSAGE_ID).is_some() || text.is_empty() {
            return Err(error::invalid(format!("{MESSAGE_ID} must be there once, and not empty")));
        }
        headers.insert(NATS_MESSAGE_ID, value);
        return Ok(());
    }
    let twice = name.eq_ignore_ascii_case(CONTENT_TYPE_HEADER) && message.content_type.is_some();
    if twice || is_reserved(name) {
        return Err(error::invalid(format!("the header {name} is set by the host")));
    }
    let name = HeaderName::from_str(name).map_err(|_| error::invalid("NATS cannot carry a header of that name"))?;
    headers.append(name, value);
    Ok(())
}

/// NATS ends a value at a line break and trims it.
fn value(name: &str, text: &str) -> Result<HeaderValue> {
    if text.trim() != text || text.contains(char::is_control) {
        return Err(error::invalid(format!(
            "NATS cannot carry this value of {name}: it begins or ends with a space, or has control characters"
        )));
    }
    HeaderValue::from_str(text).map_err(|_| error::invalid("NATS cannot carry that header"))
}

fn is_reserved(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    RESERVED_PREFIXES.iter().any(begins)
}

/// Parses a publish ack, and returns the name of its stream. Other programs may send the same text.
pub(super) fn acknowledged_by(answer: &NatsMessage) -> Option<String> {
    if answer.headers.is_some() || !answer.payload.starts_with(b"{\"stream\":") || answer.payload.len() > MAX_ACK_BYTES
    {
        return None;
    }
    let ack: serde_json::Value = serde_json::from_slice(&answer.payload).ok()?;
    ack.get("seq")?.as_u64()?;
    ack.get("stream")?.as_str().map(str::to_owned)
}

/// Converts an answer.
pub(super) fn answer(answer: NatsMessage) -> Message {
    message(answer.subject.as_str(), answer.reply.as_ref(), answer.headers.as_ref(), answer.payload)
}

/// Converts an incoming message. Headers are sorted by name, as NATS has no order.
pub(super) fn message(topic: &str, reply: Option<&Subject>, headers: Option<&HeaderMap>, payload: Bytes) -> Message {
    let mut message = Message::new(topic, payload);
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        let first = || values.first().map(|value| value.as_str().to_owned());
        if name.eq_ignore_ascii_case(KEY_HEADER) {
            message.key = first();
        } else if name.eq_ignore_ascii_case(CONTENT_TYPE_HEADER) {
            message.content_type = first();
        } else if name.eq_ignore_ascii_case(REPLY_TO_HEADER) {
            message.reply_to = first();
        } else if !is_reserved(name) {
            message.headers.extend(values.iter().map(|value| (name.to_owned(), value.as_str().to_owned())));
        }
    }
    if let Some(reply) = reply {
        message.reply_to = Some(reply.to_string());
    }
    if let Some(id) = headers.and_then(given_id) {
        message.headers.push((MESSAGE_ID.to_owned(), id.to_string()));
    }
    // Stable: the values of one name keep their order.
    message.headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    message
}

/// The message id set by the original publisher.
pub(super) fn given_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let own = |id: &&HeaderValue| id.as_str().starts_with(OWN_ID_PREFIX);
    headers.get(GIVEN_ID_HEADER).or_else(|| headers.get(NATS_MESSAGE_ID).filter(|id| !own(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Message {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message::default().with_topic("a.b").with_headers(headers)
    }

    #[test]
    fn everything_comes_back() {
        let mut sent = with(&[("Nats-Msg-Id", "7"), ("a", "x"), ("b", "ü=:,"), ("z", "1"), ("z", ""), ("z", "0")]);
        sent.key = Some("schlüssel".into());
        sent.content_type = Some("text/plain; a=\"b\"".into());
        sent.reply_to = Some("_INBOX.1".into());
        let mut headers = headers(&sent).unwrap();
        set_reply_to(&mut headers, "_INBOX.1").unwrap();
        assert_eq!(message("a.b", None, Some(&headers), Bytes::new()), sent);
    }

    #[test]
    fn what_nats_cannot_carry_is_refused() {
        for (name, value) in [
            ("a", " x"),
            ("a", "x "),
            ("a", "x\r\nEvil: y"),
            ("a", "\n"),
            ("a", "\0"),
            ("a", "\u{a0}x"),
            ("a:b", "x"),
            ("a b", "x"),
            ("ä", "x"),
            ("Nats-Msg-Id", ""),
            ("nats-rollup", "all"),
            ("NATS-Expected-Stream", "S"),
            ("Tempo-Key", "k"),
        ] {
            let error = headers(&with(&[(name, value)])).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        }
        assert!(headers(&with(&[("Nats-Msg-Id", "1"), ("nats-msg-id", "2")])).is_err());
        assert!(headers(&with(&[("é", "")])).is_err() && headers(&with(&[("natsé", "")])).is_err());
        let mut typed = with(&[("content-type", "a/b")]);
        typed.content_type = Some("c/d".into());
        assert!(headers(&typed).is_err());
    }

    #[test]
    fn the_servers_own_topics_are_no_topics() {
        assert_eq!(subject("$JS.API.STREAM.DELETE.ORDERS").unwrap_err().kind(), ErrorKind::AccessDenied);
        assert_eq!(subject("orders.$1").unwrap().as_str(), "orders.$1");
    }

    #[test]
    fn words_between_the_host_and_the_server_are_not_shown() {
        let mut headers = headers(&with(&[("a", "1")])).unwrap();
        headers.insert(NATS_MESSAGE_ID, format!("{OWN_ID_PREFIX}x").as_str());
        headers.insert("Nats-Expected-Stream", "S");
        assert_eq!(message("a.b", None, Some(&headers), Bytes::new()), with(&[("a", "1")]));
        headers.insert(GIVEN_ID_HEADER, "7");
        let given = with(&[("Nats-Msg-Id", "7"), ("a", "1")]);
        assert_eq!(message("a.b", None, Some(&headers), Bytes::new()), given);
    }
}
