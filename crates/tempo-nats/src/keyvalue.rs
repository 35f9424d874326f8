//! Keyvalue stores in buckets of JetStream.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind};
use async_nats::{HeaderMap, HeaderValue};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_keyvalue::{Change, Condition, Entry, ErrorKind, Increment, KeyValueStore, Result, Version};
use tempo_settings::{BackendUrl, Flag, Settings};

use crate::address::Address;
use crate::connection::{Connection, ConnectionLost};
use crate::error::NatsError;
use crate::key;
use crate::listing::Windows;
use crate::options::{self, Options};

mod bucket;
mod clock;
mod error;
mod expiry;
mod head;
mod marker;
mod rewrite;
mod seen;
mod walk;
mod watch;

use bucket::Bucket;
use clock::ServerClock;
use head::Head;
use seen::RecentValues;

/// Attempts of a read whose response is lost with the connection. Reads are idempotent.
const MAX_READ_ATTEMPTS: usize = 3;

/// Attempts of a write over a marker that is replaced by another marker each time.
const MAX_RACES: usize = 8;

/// Maximum TTL, 100 years: the server counts in nanoseconds, which must not overflow. Longer ones are clamped.
const MAX_TTL_SECONDS: u64 = 100 * 365 * 24 * 3600;

/// A store in a bucket of JetStream, named by `nats://HOST[:PORT]/BUCKET` (or `tls://`, which requires TLS).
///
/// A missing bucket is created with one value per key, file storage, one replica, and limit markers if the server supports them
/// (2.11). An existing bucket is used unchanged.
///
/// - A version is the revision of the entry in the bucket.
/// - A TTL is rounded up to whole seconds. An expired entry disappears within about a second.
/// - An increment, or a replacement, keeps the end of the entry's lifetime, to the millisecond and by the server's clock.
/// - Deletion and expiry leave a marker for an hour, so that a watcher that is disconnected for less receives the change. In a
///   bucket without limit markers, markers stay.
/// - With several replicas, the leader serves reads, so that a read returns the last write.
pub struct NatsKeyValue {
    connection: Connection,
    bucket: Bucket,
    seen: RecentValues,
    clock: ServerClock,
    windows: Windows<()>,
}

impl fmt::Debug for NatsKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsKeyValue").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}

#[async_trait]
impl BackendScheme<dyn KeyValueStore> for NatsKeyValue {
    const NAMES: &'static [&'static str] = &["nats", "tls"];

    fn flags() -> Vec<Flag> {
        options::flags()
    }

    fn check(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<()> {
        Options::read(settings, &Address::parse(url)?).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn KeyValueStore>> {
        let address = Address::parse(url)?;
        let connection = Connection::open(&address, context).await?;
        Ok(Arc::new(Self::over(connection, &address).await?))
    }
}

#[async_trait]
impl KeyValueStore for NatsKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.entry(&key::encode(key)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Version>> {
        self.version(&key::encode(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        let key = key::encode(key);
        let life = ttl.map(|ttl| self.life(ttl)).transpose()?;
        let version = match condition {
            Condition::Always => self.publish(&key, headers(None, life), value).await?,
            Condition::Version(version) => self.swap(&key, life, value, version).await?,
            Condition::Absent => self.create(&key, life, value).await?,
        };
        self.seen.note(version);
        Ok(version)
    }

    async fn replace(&self, key: &str, value: Bytes, version: Version) -> Result<Version> {
        self.write_over(key, value, version).await
    }

    async fn increment(&self, key: &str, increment: Increment) -> Result<i128> {
        self.add(key, increment).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.publish(&key::encode(key), self.bucket.deletion(), Bytes::new()).await.map(drop)
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        walk::keys(&self.connection, &self.bucket, &self.windows, (prefix, after), limit).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        watch::watch(self.connection.clone(), self.bucket.clone()).await
    }
}

impl NatsKeyValue {
    /// Opens the bucket `bucket` over the caller's connection, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// The name is malformed; or the server has no JetStream, forbids the bucket, or does not answer.
    pub async fn new(client: async_nats::Client, bucket: &str) -> tempo_settings::Result<Self> {
        let address = Address::of_client(&client, bucket)?;
        Self::over(Connection::of_client(client), &address).await
    }

    async fn over(connection: Connection, address: &Address) -> tempo_settings::Result<Self> {
        let bucket = Bucket::open(&connection, address).await?;
        let (seen, clock, windows) = (RecentValues::new(), ServerClock::default(), Windows::new());
        Ok(Self { connection, bucket, seen, clock, windows })
    }

    /// Returns the entry of a key, unless it is a marker.
    async fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let message = self.last(key).await?;
        let message = message.filter(|message| !marker::is_marker(&message.headers));
        let entry = message.map(|message| Entry::new(message.payload, message.sequence));
        if let Some(entry) = &entry {
            self.seen.note(entry.version);
        }
        Ok(entry)
    }

    /// Returns the version of the value under a key, without the value if the bucket has one replica. Of several, the
    /// one with the consumer may lag behind the leader, so the value is read from the leader.
    async fn version(&self, key: &str) -> Result<Option<Version>> {
        if self.bucket.has_one_replica() {
            let head = self.connection.request(head::last(&self.connection, &self.bucket, key)).await;
            match head.unwrap_or_else(|lost| Err(lost.into())) {
                Ok(Some(Head::Value(version))) => {
                    self.seen.note(version);
                    return Ok(Some(version));
                }
                Ok(Some(Head::Marker)) => return Ok(None),
                // Most likely there is no message. A read also works if the account has reached its limit of consumers.
                Ok(None) | Err(NatsError::ConnectionLost | NatsError::Other) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.entry(key).await?.map(|entry| entry.version))
    }

    /// Replaces the value with this version. The server checks that it is the last message; whether it is a value or a marker, which
    /// the server does not check, cannot change.
    async fn swap(&self, key: &str, life: Option<u64>, value: Bytes, version: Version) -> Result<Version> {
        let known = self.seen.is_value(version);
        if !known && self.version(key).await? != Some(version) {
            return Err(error::condition());
        }
        self.publish(key, headers(Some(version), life), value).await
    }

    /// Writes a key that has no message, or a marker. The server checks that there is still no message, or that the marker is still
    /// the last one.
    async fn create(&self, key: &str, life: Option<u64>, value: Bytes) -> Result<Version> {
        let mut last = 0;
        for _ in 0..MAX_RACES {
            match self.publish(key, headers(Some(last), life), value.clone()).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                result => return result,
            }
            last = match self.last(key).await? {
                Some(message) if marker::is_marker(&message.headers) => message.sequence,
                // The marker may have expired meanwhile.
                None => 0,
                Some(_) => return Err(error::condition()),
            };
        }
        Err(error::condition())
    }

    /// Publishes, and waits until the server has stored the message.
    async fn publish(&self, key: &str, headers: Option<HeaderMap>, value: Bytes) -> Result<Version> {
        let size = value.len();
        let subject = self.bucket.put_subject(key);
        let jetstream = self.connection.jetstream();
        let request = async {
            match headers {
                Some(headers) => jetstream.publish_with_headers(subject, headers, value).await?.await,
                None => jetstream.publish(subject, value).await?.await,
            }
        };
        let acknowledged = self.connection.request(request).await.map_err(NatsError::from)?;
        acknowledged.map(|acknowledged| acknowledged.sequence).map_err(|error| match error.kind() {
            // The client detects this before it sends anything.
            PublishErrorKind::MaxPayloadExceeded => error::too_large(size, self.connection.max_payload()),
            _ => NatsError::from(error).into(),
        })
    }

    /// Returns the last message of a key, a value or a marker.
    async fn last(&self, key: &str) -> Result<Option<StreamMessage>> {
        let subject = self.bucket.subject(key);
        let mut attempts = 1..MAX_READ_ATTEMPTS;
        loop {
            match self.connection.request(self.read(&subject)).await {
                Ok(result) => return result,
                Err(ConnectionLost::AwaitingReply) if attempts.next().is_some() => {}
                Err(lost) => return Err(NatsError::from(lost).into()),
            }
        }
    }

    async fn read(&self, subject: &str) -> Result<Option<StreamMessage>> {
        let stream = self.bucket.stream();
        if self.bucket.reads_directly() {
            match stream.direct_get_last_for_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(NatsError::from(error).into()),
            }
        } else {
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(NatsError::from(error).into()),
            }
        }
    }

    /// Returns a TTL in the server's unit.
    fn life(&self, ttl: Duration) -> Result<u64> {
        if !self.bucket.ends_lives() {
            return Err(error::no_lifetimes());
        }
        Ok(expiry::seconds(ttl))
    }
}

/// Returns the headers of a write, if it needs any.
fn headers(last: Option<Version>, life: Option<u64>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(last) = last {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(last));
    }
    if let Some(life) = life {
        headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(life));
    }
    (!headers.is_empty()).then_some(headers)
}
