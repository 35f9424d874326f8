//! Messages as NATS carries them. What NATS has no place for goes into headers, and comes out of them again.

use std::str::FromStr as _;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{HeaderMap, HeaderName, HeaderValue, Message as NatsMessage, Subject};
use bytes::Bytes;
use tempo_messaging::{Error, ErrorKind, MESSAGE_ID, Message, Result};

use super::failure;

/// More bytes than an acknowledgement of JetStream has.
const LONGEST_ACK: usize = 1024;

/// A message's key.
const KEY: &str = "Tempo-Key";

/// A message's media type. Other programs say it so, too.
const CONTENT_TYPE: &str = "Content-Type";

/// Where an answer is expected. JetStream needs the reply subject for its own acknowledgement.
const REPLY_TO: &str = "Tempo-Reply-To";

/// The id that a guest gave, where the message needs another one for the server.
pub(super) const GIVEN_ID: &str = "Tempo-Message-Id";

/// What the message ids begin with that were not given by a guest, and that no guest is shown.
pub(super) const OWN_ID: &str = "tempo:";

/// What headers begin with that are words between NATS, or Tempo, and itself.
const RESERVED: [&str; 2] = ["nats-", "tempo-"];

/// The subject of a topic.
///
/// # Errors
///
/// The topic is one of the server's own, by which whoever may publish on it commands the server.
pub(super) fn subject(topic: &str) -> Result<Subject> {
    if topic.starts_with('$') {
        return Err(Error::new(ErrorKind::AccessDenied, "topics that begin with $ are the server's own"));
    }
    Subject::validated(topic).map_err(|_| failure::invalid("the topic is no subject of NATS"))
}

/// The headers of a message. Its `reply_to` is not among them.
///
/// # Errors
///
/// NATS cannot carry one of them as it is.
pub(super) fn headers(message: &Message) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        append(&mut headers, message, name, value)?;
    }
    if let Some(key) = &message.key {
        headers.insert(KEY, value(KEY, key)?);
    }
    if let Some(content_type) = &message.content_type {
        headers.insert(CONTENT_TYPE, value(CONTENT_TYPE, content_type)?);
    }
    Ok(headers)
}

/// Adds where an answer is expected, for whoever takes the message from a stream.
pub(super) fn set_reply_to(headers: &mut HeaderMap, topic: &str) -> Result<()> {
    headers.insert(REPLY_TO, value(REPLY_TO, topic)?);
    Ok(())
}

fn append(headers: &mut HeaderMap, message: &Message, name: &str, text: &str) -> Result<()> {
    let value = value(name, text)?;
    if name.eq_ignore_ascii_case(MESSAGE_ID) {
        if headers.get(NATS_MESSAGE_ID).is_some() || text.is_empty() {
            return Err(failure::invalid(format!("{MESSAGE_ID} must be there once, and not empty")));
        }
        headers.insert(NATS_MESSAGE_ID, value);
        return Ok(());
    }
    let twice = name.eq_ignore_ascii_case(CONTENT_TYPE) && message.content_type.is_some();
    if twice || is_reserved(name) {
        return Err(failure::invalid(format!("the header {name} is set by the host")));
    }
    let name = HeaderName::from_str(name).map_err(|_| failure::invalid("NATS cannot carry a header of that name"))?;
    headers.append(name, value);
    Ok(())
}

/// NATS ends a value at its line's end, and cuts off the spaces around it.
fn value(name: &str, text: &str) -> Result<HeaderValue> {
    if text.trim() != text || text.contains(char::is_control) {
        return Err(failure::invalid(format!(
            "NATS cannot carry this value of {name}: it begins or ends with a space, or has control characters"
        )));
    }
    HeaderValue::from_str(text).map_err(|_| failure::invalid("NATS cannot carry that header"))
}

fn is_reserved(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    RESERVED.iter().any(begins)
}

/// The stream by which the message may be an acknowledgement of JetStream; somebody may have written the same.
pub(super) fn acknowledged_by(answer: &NatsMessage) -> Option<String> {
    if answer.headers.is_some() || !answer.payload.starts_with(b"{\"stream\":") || answer.payload.len() > LONGEST_ACK {
        return None;
    }
    let word: serde_json::Value = serde_json::from_slice(&answer.payload).ok()?;
    word.get("seq")?.as_u64()?;
    word.get("stream")?.as_str().map(str::to_owned)
}

/// The message that came as an answer.
pub(super) fn answer(answer: NatsMessage) -> Message {
    message(answer.subject.as_str(), answer.reply.as_ref(), answer.headers.as_ref(), answer.payload)
}

/// The message that came on a topic, from whatever client. Its headers are sorted by name, because NATS knows no order.
pub(super) fn message(topic: &str, reply: Option<&Subject>, headers: Option<&HeaderMap>, payload: Bytes) -> Message {
    let mut message = Message { topic: topic.to_owned(), payload, ..Message::default() };
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        let first = || values.first().map(|value| value.as_str().to_owned());
        if name.eq_ignore_ascii_case(KEY) {
            message.key = first();
        } else if name.eq_ignore_ascii_case(CONTENT_TYPE) {
            message.content_type = first();
        } else if name.eq_ignore_ascii_case(REPLY_TO) {
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
    // The values of one name are in order already.
    message.headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    message
}

/// The id that was given to a message by whoever published it first.
pub(super) fn given_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let own = |id: &&HeaderValue| id.as_str().starts_with(OWN_ID);
    headers.get(GIVEN_ID).or_else(|| headers.get(NATS_MESSAGE_ID).filter(|id| !own(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Message {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message { topic: "a.b".into(), headers, ..Message::default() }
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
        headers.insert(NATS_MESSAGE_ID, format!("{OWN_ID}x").as_str());
        headers.insert("Nats-Expected-Stream", "S");
        assert_eq!(message("a.b", None, Some(&headers), Bytes::new()), with(&[("a", "1")]));
        headers.insert(GIVEN_ID, "7");
        let given = with(&[("Nats-Msg-Id", "7"), ("a", "1")]);
        assert_eq!(message("a.b", None, Some(&headers), Bytes::new()), given);
    }
}
