//! Dead letters: a stream beside the stream, in which each message that was given up lies with what is known of it.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::{Info, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::{HeaderValue, Message as NatsMessage, Subject};
use percent_encoding::percent_decode_str;
use tempo_messaging::{DeadLetter, ErrorKind, Result};

use super::publish::{self, Outgoing};
use super::stream::NamedStream;
use super::{failure, incoming, wire};
use crate::connection::Connection;
use crate::failure::Failure;

/// What is known of a letter.
const REASON: &str = "Tempo-Dead-Reason";
const CONSUMER: &str = "Tempo-Dead-Consumer";
const ATTEMPTS: &str = "Tempo-Dead-Attempts";
const SEQUENCE: &str = "Tempo-Dead-Sequence";
const TOPIC: &str = "Tempo-Dead-Topic";

/// Says that there was no room for the payload beside all this. It is still in the stream from which the letter came.
const OMITTED: &str = "Tempo-Dead-Payload-Omitted";

/// Says how many headers the message had, if they were too many to be kept. They are still in the stream, too.
const OMITTED_HEADERS: &str = "Tempo-Dead-Headers-Omitted";

/// The longest text that is kept, in bytes.
const LONGEST: usize = 1024;

/// The dead letters of a stream.
pub(super) struct Letters {
    /// Where they are.
    pub(super) stream: NamedStream,
    /// The stream from which they came.
    from: String,
}

impl Letters {
    /// The dead letters of the stream `from`, in a stream called `name`.
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

    /// Makes sure that there is a place for them, which is as safe as the stream that they come from.
    pub(super) async fn prepare(&self, from: &NamedStream) -> std::result::Result<(), tempo_settings::Error> {
        if self.stream.name == self.from {
            return Err(self.stream.wrong("dead letters need a stream of their own"));
        }
        let replicas = from.look().await?.map_or(1, |stream| stream.cached_info().config.num_replicas);
        self.stream.with(&[format!("{}>", self.prefix())], replicas).await.map(drop)
    }

    /// Keeps a message that was given up. Repeated within two minutes, it is one letter.
    pub(super) async fn keep(
        &self,
        message: &NatsMessage,
        info: &Info<'_>,
        reason: &str,
        omitted_headers: Option<usize>,
    ) -> Result<()> {
        let mut headers = HeaderMap::new();
        for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
            let text: &str = name.as_ref();
            let lasting = !text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-"));
            for value in values.iter().filter(|_| lasting) {
                headers.append(name.clone(), value.clone());
            }
        }
        // The letter has an id of its own.
        if let Some(id) = message.headers.as_ref().and_then(wire::given_id) {
            headers.insert(wire::GIVEN_ID, id.clone());
        }
        let (consumer, sequence) = (info.consumer, info.stream_sequence);
        headers.insert(REASON, encode(reason));
        headers.insert(CONSUMER, encode(consumer));
        headers.insert(ATTEMPTS, HeaderValue::from(info.delivered));
        headers.insert(SEQUENCE, HeaderValue::from(sequence));
        headers.insert(TOPIC, encode(&message.subject));
        if let Some(omitted) = omitted_headers {
            headers.insert(OMITTED_HEADERS, HeaderValue::from(omitted));
        }
        let id = format!("{}dead.{}.{consumer}.{sequence}", wire::OWN_ID, self.from);
        headers.insert(NATS_MESSAGE_ID, encode(&id));
        let subject = Subject::from(format!("{}{}", self.prefix(), message.subject));
        let name = &self.stream.name;
        let letter = Outgoing::new(name, subject.clone(), headers.clone(), message.payload.clone());
        match publish::one(&self.stream.connection, letter).await {
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                headers.insert(OMITTED, HeaderValue::from(message.payload.len()));
                let letter = Outgoing::new(name, subject, headers, bytes::Bytes::new());
                publish::one(&self.stream.connection, letter).await
            }
            kept => kept,
        }
    }

    /// The first `limit` letters after the place `after`.
    pub(super) async fn list(&self, after: Option<u64>, limit: usize, from: &NamedStream) -> Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        let Some(stream) = self.stream.get().await? else { return Ok(letters) };
        let mut next = after.unwrap_or(0).saturating_add(1);
        while letters.len() < limit {
            let question = stream.raw_message_builder().sequence(next).next_by_subject(">").send();
            let message = match self.stream.connection.ask(question).await.map_err(failure::lost)? {
                Ok(message) => message,
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(Failure::from(error).into()),
            };
            next = message.sequence.saturating_add(1);
            letters.push(self.read(message, from).await?);
        }
        Ok(letters)
    }

    /// Publishes a letter on its own topic, and then removes it. Repeated within two minutes, it is one message.
    pub(super) async fn replay(&self, sequence: u64, to: &NamedStream) -> Result<()> {
        let stream = self.stream.get().await?.ok_or_else(failure::no_such_letter)?;
        let letter = self.raw(&stream, sequence).await?;
        if letter.headers.get(OMITTED_HEADERS).is_some() || incoming::judge(&letter.headers).is_some() {
            return Err(failure::invalid("it had too many headers to be kept, and without them it is another message"));
        }
        let letter = self.read(letter, to).await?;
        let message = letter.message;
        let mut headers = wire::headers(&message)?;
        if let Some(reply_to) = &message.reply_to {
            wire::set_reply_to(&mut headers, reply_to)?;
        }
        // By the id that it was given, the stream would know it and not take it a second time.
        if let Some(id) = headers.get(NATS_MESSAGE_ID).cloned() {
            headers.insert(wire::GIVEN_ID, id);
        }
        let id = format!("{}replay.{}.{sequence}", wire::OWN_ID, self.stream.name);
        headers.insert(NATS_MESSAGE_ID, encode(&id));
        if !to.takes(&message.topic, Duration::ZERO).await? {
            return Err(failure::no_stream());
        }
        let outgoing = Outgoing::new(&to.name, wire::subject(&message.topic)?, headers, message.payload);
        publish::one(&self.stream.connection, outgoing).await?;
        self.delete(&stream, sequence).await
    }

    /// Removes a letter for ever.
    pub(super) async fn purge(&self, sequence: u64) -> Result<()> {
        let stream = self.stream.get().await?.ok_or_else(failure::no_such_letter)?;
        self.raw(&stream, sequence).await?;
        self.delete(&stream, sequence).await
    }

    async fn delete(&self, stream: &Stream, sequence: u64) -> Result<()> {
        let deleted = self.stream.connection.ask(stream.delete_message(sequence)).await.map_err(failure::lost)?;
        deleted.map(drop).map_err(|error| Failure::from(error).into())
    }

    async fn raw(&self, stream: &Stream, sequence: u64) -> Result<StreamMessage> {
        let asked = self.stream.connection.ask(stream.get_raw_message(sequence)).await.map_err(failure::lost)?;
        asked.map_err(|error| match error.kind() {
            RawMessageErrorKind::NoMessageFound => failure::no_such_letter(),
            _ => Failure::from(error).into(),
        })
    }

    /// What a letter says, with the message as it was published.
    async fn read(&self, letter: StreamMessage, from: &NamedStream) -> Result<DeadLetter> {
        let text = |name: &str| letter.headers.get(name).map(|value| decode(value.as_str()));
        let prefix = self.prefix();
        let topic = text(TOPIC).unwrap_or_else(|| letter.subject.trim_start_matches(&prefix).to_owned());
        // Others may write to this stream as well.
        let refusal = incoming::judge(&letter.headers);
        let shown = refusal.is_none().then_some(&letter.headers);
        let mut message = wire::message(&topic, None, shown, letter.payload.clone());
        let source = text(SEQUENCE).and_then(|sequence| sequence.parse().ok());
        if let (Some(_), Some(source)) = (text(OMITTED), source)
            && let Some(stream) = from.get().await?
        {
            message.payload = self.raw(&stream, source).await?.payload;
        }
        Ok(DeadLetter {
            sequence: letter.sequence,
            message,
            reason: text(REASON).or(refusal.map(|refusal| refusal.reason)).unwrap_or_default(),
            consumer: text(CONSUMER).unwrap_or_default(),
            attempts: text(ATTEMPTS).and_then(|attempts| attempts.parse().ok()).unwrap_or(0),
            timestamp: SystemTime::from(letter.time),
        })
    }
}

/// A text of bounded length as a header can carry it: on one line, where what would break it is written `%XX`.
fn encode(text: &str) -> HeaderValue {
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    let inner = text.trim();
    // Spaces at the edges would be cut off.
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
        for reason in
            ["", "100%", "a\r\nNats-Rollup: all\0\u{85}", "ä %41", " \u{3000} ", " a b ", &"é".repeat(LONGEST / 2)]
        {
            let line = encode(reason);
            assert!(!line.as_str().contains(char::is_control) && line.as_str().trim() == line.as_str(), "{line}");
            assert_eq!(decode(line.as_str()), reason);
        }
        assert_eq!(decode(encode(&"é".repeat(LONGEST)).as_str()).len(), LONGEST);
    }
}
