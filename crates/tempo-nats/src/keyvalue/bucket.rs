//! A bucket: found or created, and what it can do.

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    CreateKeyValueErrorKind, GetStreamError, GetStreamErrorKind, KeyValueError, RequestError, RequestErrorKind,
};
use async_nats::jetstream::kv;
use async_nats::jetstream::stream::{StorageType, Stream};
use tempo_settings::{Error, ErrorKind};

use super::marker;
use crate::address::Address;
use crate::connection::Connection;

/// An open bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    store: kv::Store,
}

impl Bucket {
    /// Finds the bucket, or creates it.
    ///
    /// # Errors
    ///
    /// The server has no JetStream, forbids the bucket, or does not answer; or a stream of its name is no bucket.
    pub(super) async fn open(connection: &Connection, address: &Address) -> Result<Self, Error> {
        let wrong = |problem: String| Error::new(ErrorKind::Unavailable, format!("{address}: {problem}"));
        let opening = async {
            match connection.jetstream().get_key_value(&address.name).await {
                Ok(store) => Ok(store),
                Err(error) if is_missing(&error) => create(connection, &address.name).await,
                Err(error) => Err(explain(&error)),
            }
        };
        let opened = connection.request(opening).await;
        let store = opened.unwrap_or_else(|_| Err("the connection was lost".to_owned())).map_err(wrong)?;
        Ok(Self { store })
    }

    /// Returns the name of the bucket.
    pub(super) fn name(&self) -> &str {
        &self.store.name
    }

    /// Where a key's messages are.
    pub(super) fn subject(&self, key: &str) -> String {
        format!("{}{key}", self.store.prefix)
    }

    /// Where a key is written, which in a mirror is elsewhere.
    pub(super) fn put_subject(&self, key: &str) -> String {
        format!("{}{key}", self.store.put_prefix.as_ref().unwrap_or(&self.store.prefix))
    }

    /// How the bucket calls the key of a message.
    pub(super) fn key<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&self.store.prefix)
    }

    /// The stream under the bucket.
    pub(super) fn stream(&self) -> &Stream {
        &self.store.stream
    }

    /// Whether the one replica may be asked past JetStream's queue. Of several, one that lags could answer.
    pub(super) fn reads_directly(&self) -> bool {
        self.store.stream.cached_info().config.allow_direct && self.has_one_replica()
    }

    /// Returns whether there is a single replica, so that none can lag behind another.
    pub(super) fn has_one_replica(&self) -> bool {
        let config = &self.store.stream.cached_info().config;
        config.num_replicas <= 1 && config.mirror.is_none()
    }

    /// Whether an entry can be given a lifetime.
    pub(super) fn ends_lives(&self) -> bool {
        self.store.stream.cached_info().config.allow_message_ttl
    }

    /// Whether somebody keeps more than the last message of a key.
    pub(super) fn keeps_history(&self) -> bool {
        self.store.stream.cached_info().config.max_messages_per_subject != 1
    }

    /// The headers of a deletion.
    pub(super) fn deletion(&self) -> Option<HeaderMap> {
        // Where somebody keeps a history, a deletion is a part of it.
        Some(if self.ends_lives() && !self.keeps_history() { marker::passing() } else { marker::lasting() })
    }
}

/// Creates a bucket with lifetimes, or without where the server is too old for them.
async fn create(connection: &Connection, name: &str) -> Result<kv::Store, String> {
    let jetstream = connection.jetstream();
    let config = |limit_markers| kv::Config {
        bucket: name.to_owned(),
        history: 1,
        storage: StorageType::File,
        limit_markers,
        ..kv::Config::default()
    };
    let created = match jetstream.create_key_value(config(Some(marker::MARKER_TTL))).await {
        Err(error) if error.kind() == CreateKeyValueErrorKind::LimitMarkersNotSupported => {
            jetstream.create_key_value(config(None)).await
        }
        created => created,
    };
    match created {
        Ok(store) => Ok(store),
        // Another program was first, perhaps with another configuration.
        Err(error) => jetstream.get_key_value(name).await.map_err(|_| format!("the bucket cannot be created: {error}")),
    }
}

fn is_missing(error: &KeyValueError) -> bool {
    answer(error) == Some(ErrorCode::STREAM_NOT_FOUND)
}

/// What the server answered.
fn answer(error: &KeyValueError) -> Option<ErrorCode> {
    match source::<GetStreamError>(error)?.kind() {
        GetStreamErrorKind::JetStream(error) => Some(error.error_code()),
        _ => None,
    }
}

/// Why there was no answer.
fn silence(error: &KeyValueError) -> Option<RequestErrorKind> {
    source::<GetStreamError>(error).and_then(source::<RequestError>).map(RequestError::kind)
}

fn source<E: std::error::Error + 'static>(error: &impl std::error::Error) -> Option<&E> {
    error.source()?.downcast_ref()
}

/// The cause, and what to do about it.
fn explain(error: &KeyValueError) -> String {
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    let disabled = answer(error).is_some_and(|code| disabled.contains(&code));
    match silence(error) {
        _ if disabled => {}
        Some(RequestErrorKind::NoResponders) => {}
        Some(RequestErrorKind::TimedOut) => {
            return "JetStream does not answer; may the user use the subjects $JS.API.>, $KV.> and _INBOX.>?"
                .to_owned();
        }
        _ => return error.to_string(),
    }
    "JetStream is not enabled there; start nats-server with --jetstream, or enable it for the account".to_owned()
}
