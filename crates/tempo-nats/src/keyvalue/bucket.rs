//! `Bucket`: opens or creates a bucket of JetStream KV, and reads its configuration.

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

    /// Returns the subject of a key's messages.
    pub(super) fn subject(&self, key: &str) -> String {
        format!("{}{key}", self.store.prefix)
    }

    /// Returns the subject to write a key to. A mirror's is that of its source.
    pub(super) fn put_subject(&self, key: &str) -> String {
        format!("{}{key}", self.store.put_prefix.as_ref().unwrap_or(&self.store.prefix))
    }

    /// Returns the bucket's encoding of the key of a message.
    pub(super) fn key<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&self.store.prefix)
    }

    /// Returns the stream of the bucket.
    pub(super) fn stream(&self) -> &Stream {
        &self.store.stream
    }

    /// Returns whether direct gets are allowed, which bypass JetStream's queue: only with one replica, as one of several may lag.
    pub(super) fn reads_directly(&self) -> bool {
        self.store.stream.cached_info().config.allow_direct && self.has_one_replica()
    }

    /// Returns whether there is a single replica, so that none can lag behind another.
    pub(super) fn has_one_replica(&self) -> bool {
        let config = &self.store.stream.cached_info().config;
        config.num_replicas <= 1 && config.mirror.is_none()
    }

    /// Returns whether entries can have a TTL.
    pub(super) fn ends_lives(&self) -> bool {
        self.store.stream.cached_info().config.allow_message_ttl
    }

    /// Returns whether every deletion and expiry is a message, which is not the case where messages have a maximum age.
    pub(super) fn reports_removals(&self) -> bool {
        self.store.stream.cached_info().config.max_age.is_zero()
    }

    /// Returns whether the bucket keeps a history of each key.
    pub(super) fn keeps_history(&self) -> bool {
        self.store.stream.cached_info().config.max_messages_per_subject != 1
    }

    /// Returns the headers of a delete marker.
    pub(super) fn deletion(&self) -> Option<HeaderMap> {
        // In a bucket with a history, a deletion is part of it, so its marker does not expire.
        Some(if self.ends_lives() && !self.keeps_history() { marker::passing() } else { marker::lasting() })
    }
}

/// Creates a bucket with limit markers, or without them if the server is too old.
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
        // Another program has created it, possibly with another configuration.
        Err(error) => jetstream.get_key_value(name).await.map_err(|_| format!("the bucket cannot be created: {error}")),
    }
}

fn is_missing(error: &KeyValueError) -> bool {
    error_code(error) == Some(ErrorCode::STREAM_NOT_FOUND)
}

/// Returns the error code in the server's response.
fn error_code(error: &KeyValueError) -> Option<ErrorCode> {
    match source::<GetStreamError>(error)?.kind() {
        GetStreamErrorKind::JetStream(error) => Some(error.error_code()),
        _ => None,
    }
}

/// Returns the error of a request without a response.
fn request_error(error: &KeyValueError) -> Option<RequestErrorKind> {
    source::<GetStreamError>(error).and_then(source::<RequestError>).map(RequestError::kind)
}

fn source<E: std::error::Error + 'static>(error: &impl std::error::Error) -> Option<&E> {
    error.source()?.downcast_ref()
}

/// Formats the cause and its remedy.
fn explain(error: &KeyValueError) -> String {
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    let disabled = error_code(error).is_some_and(|code| disabled.contains(&code));
    match request_error(error) {
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
