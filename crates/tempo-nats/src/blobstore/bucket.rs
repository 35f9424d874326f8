//! A bucket of JetStream's object store: lookup and creation, subjects, and metadata messages.

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_ROLLUP};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::object_store;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind, Stream};
use async_nats::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use tempo_blobstore::{ErrorKind, Result};
use tempo_settings::{Error as BootError, ErrorKind as BootErrorKind};

use super::cleaner::Cleaner;
use super::error;
use super::meta::Last;
use super::walk::Object;
use crate::address::Address;
use crate::connection::{Connection, ConnectionLost};
use crate::error::NatsError;
use crate::listing::Windows;

/// Maximum attempts of a read whose reply was lost with the connection. Reads are idempotent.
pub(super) const MAX_READ_ATTEMPTS: usize = 3;

/// Maximum conflicts with other writers before a write fails.
const MAX_RACES: usize = 100;

/// An open bucket.
pub(super) struct Bucket {
    pub(super) connection: Connection,
    pub(super) stream: Stream,
    pub(super) cleaner: Cleaner,
    pub(super) name: String,
    pub(super) windows: Windows<Object>,
}

/// Returns the subject of an object's chunks.
pub(super) fn chunks(bucket: &str, nuid: &str) -> String {
    format!("$O.{bucket}.C.{nuid}")
}

impl Bucket {
    /// Opens the bucket, or creates it.
    ///
    /// # Errors
    ///
    /// The server has no JetStream, denies access to the bucket, or does not respond; or the stream of that name is not
    /// an object store.
    pub(super) async fn open(connection: Connection, address: &Address) -> std::result::Result<Self, BootError> {
        let wrong = |problem: String| BootError::new(BootErrorKind::Unavailable, format!("{address}: {problem}"));
        let name = address.name.clone();
        let opened = connection.request(find_or_create(&connection, &name)).await;
        let stream = opened.unwrap_or_else(|_| Err("the connection was lost".to_owned())).map_err(wrong)?;
        let subjects = &stream.cached_info().config.subjects;
        if !subjects.contains(&format!("$O.{name}.M.>")) || !subjects.contains(&format!("$O.{name}.C.>")) {
            return Err(wrong(format!("the stream OBJ_{name} is no bucket of objects")));
        }
        let cleaner = Cleaner::start(connection.clone(), stream.clone(), name.clone());
        Ok(Self { connection, stream, cleaner, name, windows: Windows::new() })
    }

    /// Returns the subject of an object's chunks.
    pub(super) fn chunks(&self, nuid: &str) -> String {
        chunks(&self.name, nuid)
    }

    /// Returns the subject filter of all metadata messages.
    pub(super) fn descriptions(&self) -> String {
        format!("$O.{}.M.>", self.name)
    }

    fn description(&self, name: &str) -> String {
        format!("$O.{}.M.{}", self.name, URL_SAFE.encode(name))
    }

    /// Returns the name of the object that a metadata subject belongs to.
    pub(super) fn object(&self, subject: &str) -> Option<String> {
        let token = subject.strip_prefix("$O.")?.strip_prefix(&self.name)?.strip_prefix(".M.")?;
        String::from_utf8(URL_SAFE.decode(token).ok()?).ok()
    }

    /// Returns the last metadata message of an object, which may mark a deletion.
    pub(super) async fn last(&self, name: &str) -> Result<Option<Last>> {
        let subject = self.description(name);
        let mut attempts = 1..MAX_READ_ATTEMPTS;
        loop {
            match self.connection.request(self.read(&subject)).await {
                Ok(message) => return message?.as_ref().map(Last::read).transpose(),
                Err(ConnectionLost::AwaitingReply) if attempts.next().is_some() => {}
                Err(lost) => return Err(NatsError::from(lost).into()),
            }
        }
    }

    async fn read(&self, subject: &str) -> Result<Option<StreamMessage>> {
        let config = &self.stream.cached_info().config;
        // A direct get may be answered by a replica that lags.
        if config.allow_direct && config.num_replicas <= 1 && config.mirror.is_none() {
            match self.stream.direct_get_last_for_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(NatsError::from(error).into()),
            }
        } else {
            match self.stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(NatsError::from(error).into()),
            }
        }
    }

    /// Replaces the last metadata message of an object, and returns the replaced one. `judge` receives the last message
    /// and returns the new one, or nothing. The server accepts the new message only if the last one is unchanged;
    /// otherwise this repeats.
    pub(super) async fn replace(
        &self,
        name: &str,
        judge: impl Fn(Option<&Last>) -> Result<Option<Bytes>> + Send + Sync,
    ) -> Result<Option<Last>> {
        for _ in 0..MAX_RACES {
            let last = self.last(name).await?;
            let Some(description) = judge(last.as_ref())? else { return Ok(last) };
            let sequence = last.as_ref().map_or(0, |last| last.sequence);
            match self.publish(name, sequence, description).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| last),
            }
        }
        Err(error::busy())
    }

    async fn publish(&self, name: &str, sequence: u64, description: Bytes) -> Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_ROLLUP, "sub");
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(sequence));
        let jetstream = self.connection.jetstream();
        let request =
            async { jetstream.publish_with_headers(self.description(name), headers, description).await?.await };
        let acknowledged = self.connection.request(request).await.map_err(NatsError::from)?;
        acknowledged.map(drop).map_err(|error| NatsError::from(error).into())
    }
}

async fn find_or_create(connection: &Connection, name: &str) -> std::result::Result<Stream, String> {
    let jetstream = connection.jetstream();
    let stream = format!("OBJ_{name}");
    match jetstream.get_stream(&stream).await {
        Ok(stream) => return Ok(stream),
        Err(error) if !is_missing(&error) => return Err(explain(&error)),
        Err(_) => {}
    }
    // One replica on file storage, with rollups and direct gets.
    let config = object_store::Config { bucket: name.to_owned(), num_replicas: 1, ..object_store::Config::default() };
    let created = jetstream.create_object_store(config).await;
    // After a failed creation, another client may have created it.
    jetstream.get_stream(&stream).await.map_err(|error| match created {
        Ok(_) => explain(&error),
        Err(error) => format!("the bucket cannot be created: {error}"),
    })
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Explains the cause and the remedy.
fn explain(error: &GetStreamError) -> String {
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    match error.kind() {
        GetStreamErrorKind::JetStream(answer) if !disabled.contains(&answer.error_code()) => error.to_string(),
        GetStreamErrorKind::Request if error.to_string().contains("timed out") => {
            "JetStream does not answer; may the user use the subjects $JS.API.>, $O.> and _INBOX.>?".to_owned()
        }
        _ => "JetStream is not enabled there; start nats-server with --jetstream, or enable it for the account"
            .to_owned(),
    }
}
