//! Dead letters: a second stream, which stores each rejected message with its reason and origin.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::datetime::DateTime;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::{Info, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::{HeaderValue, Message as NatsMessage, Subject};
use percent_encoding::percent_decode_str;
use tempo_messaging::{DeadLetter, ErrorKind, Result};

use super::publish::{self, Outgoing, StoredMessage};
use super::stream::NamedStream;
use super::{error, incoming, wire};
use crate::connection::Connection;
use crate::error::NatsError;

/// Headers of a dead letter.
const REASON_HEADER: &str = "Tempo-Dead-Reason";
const CONSUMER_HEADER: &str = "Tempo-Dead-Consumer";
const ATTEMPTS_HEADER: &str = "Tempo-Dead-Attempts";
const SEQUENCE_HEADER: &str = "Tempo-Dead-Sequence";
const TOPIC_HEADER: &str = "Tempo-Dead-Topic";

/// Set if the payload did not fit beside these headers. The original stream still has it.
const OMITTED_PAYLOAD_HEADER: &str = "Tempo-Dead-Payload-Omitted";

/// The number of headers, if they were too many to copy. The original stream still has them.
const OMITTED_HEADERS_HEADER: &str = "Tempo-Dead-Headers-Omitted";

/// Maximum removed dead letters of one message within the deduplication window, until repeated rejections may add several.
const MAX_REMOVED_LETTERS: usize = 16;

/// Maximum bytes of a text in a header.
const MAX_TEXT_BYTES: usize = 1024;

/// The dead-letter stream of a stream.
pub(super) struct DeadLetterStream {
    /// The dead-letter stream.
    pub(super) stream: NamedStream,
    /// Name of the original stream.
    from: String,
}

impl DeadLetterStream {
    /// The dead letters of the stream `from`, in a stream `name`.
    pub(super) fn new(connection: Connection, server: &str, from: &str, name: Option<&str>) -> Self {
        let name = name.map_or_else(|| format!("{from}-DEAD"), str::to_owned);
        let shown = format!("{server}/{name}");
        Self { stream: NamedStream::new(connection, name, shown), from: from.to_owned() }
    }

    fn prefix(&self) -> String {
        match self.stream.name.strip_suffix("-DEAD") {
            Some(from) if from == self.from => format!("dead.{from}."),
            _ => format!("dead.{}.", self.stream.name),
        }
    }

    /// Creates the dead-letter stream if missing, with as many replicas as the original stream.
    pub(super) async fn prepare(&self, from: &NamedStream) -> std::result::Result<(), tempo_settings::Error> {
        if self.stream.name == self.from {
            return Err(self.stream.unavailable("dead letters need a stream of their own"));
        }
        let replicas = from.find().await?.map_or(1, |stream| stream.cached_info().config.num_replicas);
        self.stream.with(&[format!("{}>", self.prefix())], replicas).await.map(drop)
    }

    /// Stores a rejected message. A repeated rejection within two minutes adds no other dead letter, unless the first was
    /// removed meanwhile.
    pub(super) async fn keep(
        &self,
        message: &NatsMessage,
        info: &Info<'_>,
        reason: &str,
        omitted_headers: Option<usize>,
    ) -> Result<()> {
        let headers = letter_headers(message, info, reason, omitted_headers);
        let (consumer, sequence, published) = (info.consumer, info.stream_sequence, nanos(info.published));
        // A stream that is deleted and created again begins at the first sequence again.
        let first = format!("{}dead.{}.{consumer}.{sequence}.{published}", wire::OWN_ID_PREFIX, self.from);
        let mut id = first.clone();
        for _ in 0..MAX_REMOVED_LETTERS {
            let stored = self.publish(message, &headers, Some(&id)).await?;
            if !stored.is_duplicate || self.has(stored.sequence).await? {
                return Ok(());
            }
            // The stream deduplicates against removed messages too. The next id follows from the removed dead letter, so
            // that repeated rejections have the same.
            id = format!("{first}.{}", stored.sequence);
        }
        self.publish(message, &headers, None).await.map(drop)
    }

    /// Publishes a dead letter, without the payload if it does not fit beside the headers.
    async fn publish(&self, message: &NatsMessage, headers: &HeaderMap, id: Option<&str>) -> Result<StoredMessage> {
        let mut headers = headers.clone();
        id.into_iter().for_each(|id| headers.insert(NATS_MESSAGE_ID, encode(id)));
        let subject = Subject::from(format!("{}{}", self.prefix(), message.subject));
        let name = &self.stream.name;
        let letter = Outgoing::new(name, subject.clone(), headers.clone(), message.payload.clone());
        match publish::one(&self.stream.connection, letter).await {
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                headers.insert(OMITTED_PAYLOAD_HEADER, HeaderValue::from(message.payload.len()));
                let letter = Outgoing::new(name, subject, headers, bytes::Bytes::new());
                publish::one(&self.stream.connection, letter).await
            }
            stored => stored,
        }
    }

    /// Returns whether the dead letter at `sequence` has not been removed.
    async fn has(&self, sequence: u64) -> Result<bool> {
        let Some(stream) = self.stream.get().await? else { return Ok(false) };
        Ok(self.find(&stream, sequence).await?.is_some())
    }

    /// Returns the first `limit` dead letters after the sequence `after`.
    pub(super) async fn list(&self, after: Option<u64>, limit: usize, from: &NamedStream) -> Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        let Some(stream) = self.stream.get().await? else { return Ok(letters) };
        let mut next = after.unwrap_or(0).saturating_add(1);
        while letters.len() < limit {
            let question = stream.raw_message_builder().sequence(next).next_by_subject(">").send();
            let message = match self.stream.connection.request(question).await.map_err(error::lost)? {
                Ok(message) => message,
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(NatsError::from(error).into()),
            };
            next = message.sequence.saturating_add(1);
            letters.push(self.read(message, from).await?);
        }
        Ok(letters)
    }

    /// Publishes a dead letter on its original topic, then removes it. If it could not be removed, another replay within
    /// two minutes only removes it.
    pub(super) async fn replay(&self, sequence: u64, to: &NamedStream) -> Result<()> {
        let stream = self.stream.get().await?.ok_or_else(error::no_such_letter)?;
        let letter = self.raw(&stream, sequence).await?;
        if letter.headers.get(OMITTED_HEADERS_HEADER).is_some() || incoming::check(&letter.headers).is_some() {
            return Err(error::invalid("it had too many headers to store, and cannot be replayed without them"));
        }
        // A dead-letter stream that is deleted and created again begins at the first sequence again.
        let stored = nanos(letter.time);
        let message = self.read(letter, to).await?.message;
        let mut headers = wire::headers(&message)?;
        if let Some(reply_to) = &message.reply_to {
            wire::set_reply_to(&mut headers, reply_to)?;
        }
        // Under the original id the stream would drop it as a duplicate.
        if let Some(id) = headers.get(NATS_MESSAGE_ID).cloned() {
            headers.insert(wire::GIVEN_ID_HEADER, id);
        }
        let id = format!("{}replay.{}.{sequence}.{stored}", wire::OWN_ID_PREFIX, self.stream.name);
        headers.insert(NATS_MESSAGE_ID, encode(&id));
        if !to.takes(&message.topic, Duration::ZERO).await? {
            return Err(error::no_stream());
        }
        let outgoing = Outgoing::new(&to.name, wire::subject(&message.topic)?, headers, message.payload);
        publish::one(&self.stream.connection, outgoing).await?;
        self.delete(&stream, sequence).await
    }

    /// Removes a dead letter permanently.
    pub(super) async fn purge(&self, sequence: u64) -> Result<()> {
        let stream = self.stream.get().await?.ok_or_else(error::no_such_letter)?;
        self.raw(&stream, sequence).await?;
        self.delete(&stream, sequence).await
    }

    async fn delete(&self, stream: &Stream, sequence: u64) -> Result<()> {
        let deleted = self.stream.connection.request(stream.delete_message(sequence)).await.map_err(error::lost)?;
        deleted.map(drop).map_err(|error| NatsError::from(error).into())
    }

    async fn raw(&self, stream: &Stream, sequence: u64) -> Result<StreamMessage> {
        self.find(stream, sequence).await?.ok_or_else(error::no_such_letter)
    }

    async fn find(&self, stream: &Stream, sequence: u64) -> Result<Option<StreamMessage>> {
        match self.stream.connection.request(stream.get_raw_message(sequence)).await.map_err(error::lost)? {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(NatsError::from(error).into()),
        }
    }

    /// Decodes a dead letter, with the message as it was published.
    async fn read(&self, letter: StreamMessage, from: &NamedStream) -> Result<DeadLetter> {
        let text = |name: &str| letter.headers.get(name).map(|value| decode(value.as_str()));
        let prefix = self.prefix();
        let topic = text(TOPIC_HEADER).unwrap_or_else(|| letter.subject.trim_start_matches(&prefix).to_owned());
        // Other programs may write to this stream.
        let refusal = incoming::check(&letter.headers);
        let shown = refusal.is_none().then_some(&letter.headers);
        let mut message = wire::message(&topic, None, shown, letter.payload.clone());
        let source = text(SEQUENCE_HEADER).and_then(|sequence| sequence.parse().ok());
        if let (Some(_), Some(source)) = (text(OMITTED_PAYLOAD_HEADER), source)
            && let Some(stream) = from.get().await?
        {
            message.payload = self.raw(&stream, source).await?.payload;
        }
        Ok(DeadLetter::new(
            letter.sequence,
            message,
            text(REASON_HEADER).or(refusal.map(|refusal| refusal.reason)).unwrap_or_default(),
            text(CONSUMER_HEADER).unwrap_or_default(),
        )
        .with_attempts(text(ATTEMPTS_HEADER).and_then(|attempts| attempts.parse().ok()).unwrap_or(0))
        .with_timestamp(SystemTime::from(letter.time)))
    }
}

/// The headers of a dead letter but its id: those of the message, its reason and its origin.
fn letter_headers(message: &NatsMessage, info: &Info<'_>, reason: &str, omitted_headers: Option<usize>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        let text: &str = name.as_ref();
        let lasting = !text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-"));
        for value in values.iter().filter(|_| lasting) {
            headers.append(name.clone(), value.clone());
        }
    }
    // The dead letter has its own id.
    if let Some(id) = message.headers.as_ref().and_then(wire::given_id) {
        headers.insert(wire::GIVEN_ID_HEADER, id.clone());
    }
    headers.insert(REASON_HEADER, encode(reason));
    headers.insert(CONSUMER_HEADER, encode(info.consumer));
    headers.insert(ATTEMPTS_HEADER, HeaderValue::from(info.delivered));
    headers.insert(SEQUENCE_HEADER, HeaderValue::from(info.stream_sequence));
    headers.insert(TOPIC_HEADER, encode(&message.subject));
    if let Some(omitted) = omitted_headers {
        headers.insert(OMITTED_HEADERS_HEADER, HeaderValue::from(omitted));
    }
    headers
}

/// Nanoseconds since the epoch, at which the server stored a message.
fn nanos(stored: DateTime) -> u128 {
    SystemTime::from(stored).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

/// Encodes a text for a header: truncated, on one line, with unsafe characters as `%XX`.
fn encode(text: &str) -> HeaderValue {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
    let inner = text.trim();
    // Spaces at the ends would be trimmed.
    let edge = text.len().saturating_sub(text.trim_start().len());
    let inside = edge..edge.saturating_add(inner.len());
    let mut line = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        if character == '%' || character.is_control() || !inside.contains(&index) {
            let bytes =
                character.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            line.push_str(&bytes);
        } else {
            line.push(character);
        }
    }
    HeaderValue::from(line)
}

fn decode(line: &str) -> String {
    percent_decode_str(line).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        for reason in [
            "",
            "100%",
            "a\r\nNats-Rollup: all\0\u{85}",
            "ä %41",
            " \u{3000} ",
            " a b ",
            &"é".repeat(MAX_TEXT_BYTES / 2),
        ] {
            let line = encode(reason);
            assert!(!line.as_str().contains(char::is_control) && line.as_str().trim() == line.as_str(), "{line}");
            assert_eq!(decode(line.as_str()), reason);
        }
        assert_eq!(decode(encode(&"é".repeat(MAX_TEXT_BYTES)).as_str()).len(), MAX_TEXT_BYTES);
    }
}
