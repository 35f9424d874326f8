//! The stream of a broker: finds, creates, extends or refuses it, and caches its subjects.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use tempo_messaging::{Result, topic};
use tempo_settings::{Error, ErrorKind};
use tokio::time::Instant;

use super::error;
use crate::connection::{Connection, ConnectionLost};
use crate::error::NatsError;

/// Metadata key of streams and consumers that Tempo created and may change.
pub(super) const TEMPO_METADATA_KEY: &str = "tempo";

/// How long cached subjects may be used where a request per message is too much. A topic added meanwhile is missed.
pub(super) const SUBJECTS_TTL: Duration = Duration::from_secs(2);

/// Maximum lost races against other programs that change the stream.
const MAX_RACES: usize = 10;

/// Maximum attempts to create a stream or a consumer at start. The servers of a busy cluster may not agree on it within the
/// timeout of a request, and may lose their leader meanwhile.
pub(super) const MAX_CREATE_ATTEMPTS: usize = 4;

/// A stream by name, which may not exist.
pub(super) struct NamedStream {
    pub(super) connection: Connection,
    pub(super) name: String,
    /// URL for messages.
    url: String,
    cached: Mutex<CachedSubjects>,
}

/// The stream's subjects when last fetched.
#[derive(Default)]
struct CachedSubjects {
    fetched: Option<Instant>,
    subjects: Vec<String>,
}

impl NamedStream {
    pub(super) fn new(connection: Connection, name: String, url: String) -> Self {
        Self { connection, name, url, cached: Mutex::default() }
    }

    /// Looks the stream up at start. `None` if it does not exist; an error if the server has no JetStream.
    pub(super) async fn find(&self) -> std::result::Result<Option<Stream>, Error> {
        let found = self.connection.request(self.connection.jetstream().get_stream(&self.name)).await;
        match found.map_err(|_| self.unavailable("the connection was lost"))? {
            Ok(stream) => {
                self.cache(&stream.cached_info().config.subjects);
                Ok(Some(stream))
            }
            Err(error) if is_missing(&error) => {
                self.cache(&[]);
                Ok(None)
            }
            Err(error) => Err(self.unavailable(explain(&error))),
        }
    }

    /// Looks the stream up for an operation of a guest or an operator.
    pub(super) async fn get(&self) -> Result<Option<Stream>> {
        match self.connection.request(self.connection.jetstream().get_stream(&self.name)).await.map_err(error::lost)? {
            Ok(stream) => {
                self.cache(&stream.cached_info().config.subjects);
                Ok(Some(stream))
            }
            Err(error) if is_missing(&error) => {
                self.cache(&[]);
                Ok(None)
            }
            Err(error) => Err(NatsError::from(error).into()),
        }
    }

    /// Returns whether the stream stores a topic. A negative answer may be `stale` old.
    pub(super) async fn takes(&self, topic: &str, stale: Duration) -> Result<bool> {
        let (takes, fresh) = {
            let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
            (cached.takes(topic), cached.fetched.is_some_and(|fetched| fetched.elapsed() < stale))
        };
        if takes || fresh {
            return Ok(takes);
        }
        self.get().await?;
        Ok(self.cached.lock().unwrap_or_else(PoisonError::into_inner).takes(topic))
    }

    fn cache(&self, subjects: &[String]) {
        let cached = CachedSubjects { fetched: Some(Instant::now()), subjects: subjects.to_vec() };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = cached;
    }

    /// Returns the stream with these subjects: unchanged, extended, or created with so many replicas, if Tempo may.
    pub(super) async fn with(&self, filters: &[String], replicas: usize) -> std::result::Result<Stream, Error> {
        for _ in 0..MAX_RACES {
            let Some(stream) = self.find().await? else {
                self.create(filters, replicas).await?;
                continue;
            };
            let config = &stream.cached_info().config;
            let covered = |filter: &&String| config.subjects.iter().any(|subject| topic::covers(subject, filter));
            let Some(missing) = filters.iter().find(|filter| !covered(filter)) else { return Ok(stream) };
            if config.metadata.contains_key(TEMPO_METADATA_KEY) {
                self.extend(config, filters).await?;
            } else if filters.iter().all(|filter| config.subjects.iter().any(|s| topic::overlap(s, filter))) {
                // A filter wider than the subjects, such as `>`.
                return Ok(stream);
            } else {
                return Err(self.unavailable(format!(
                    "the stream does not take {missing}, and was not made by Tempo; add the subject, for example with \
                     `nats stream edit {}`, or name another stream",
                    self.name
                )));
            }
        }
        Err(self.unavailable("other programs keep changing the stream"))
    }

    async fn create(&self, subjects: &[String], replicas: usize) -> std::result::Result<(), Error> {
        let config = Config {
            name: self.name.clone(),
            subjects: topic::prune(subjects),
            storage: StorageType::File,
            num_replicas: replicas,
            metadata: HashMap::from([(TEMPO_METADATA_KEY.to_owned(), "messaging".to_owned())]),
            ..Config::default()
        };
        let mut attempts = 1..MAX_CREATE_ATTEMPTS;
        loop {
            match self.connection.request(self.connection.jetstream().create_stream(config.clone())).await {
                Ok(Ok(_)) => return Ok(()),
                // Another program was first, perhaps with other subjects.
                Ok(Err(error)) if error_code(&error) == Some(ErrorCode::STREAM_NAME_EXIST) => return Ok(()),
                Ok(Err(error)) if error.kind() == CreateStreamErrorKind::TimedOut && attempts.next().is_some() => {}
                Err(ConnectionLost::AwaitingReply) if attempts.next().is_some() => {}
                Ok(Err(error)) => return Err(self.unavailable(format!("the stream cannot be created: {error}"))),
                Err(_) => return Err(self.unavailable("the connection was lost")),
            }
        }
    }

    async fn extend(&self, config: &Config, filters: &[String]) -> std::result::Result<(), Error> {
        let subjects = topic::prune(config.subjects.iter().chain(filters));
        let extended = Config { subjects, ..config.clone() };
        let updated = self.connection.request(self.connection.jetstream().update_stream(extended)).await;
        let updated = updated.map_err(|_| self.unavailable("the connection was lost"))?;
        updated.map(drop).map_err(|error| self.unavailable(format!("the stream cannot take more subjects: {error}")))
    }

    /// An error for settings that conflict with the stream.
    pub(super) fn bad_configuration(&self, problem: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::BadConfiguration, format!("{}: {}", self.url, problem.as_ref()))
    }

    /// An error of the stream or its server.
    pub(super) fn unavailable(&self, problem: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {}", self.url, problem.as_ref()))
    }
}

impl CachedSubjects {
    fn takes(&self, topic: &str) -> bool {
        self.subjects.iter().any(|subject| topic::matches(subject, topic))
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn error_code(error: &CreateStreamError) -> Option<ErrorCode> {
    match error.kind() {
        CreateStreamErrorKind::JetStream(error) => Some(error.error_code()),
        _ => None,
    }
}

/// Explains the cause and what to do.
fn explain(error: &GetStreamError) -> String {
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    let cause = error.source().and_then(|source| source.downcast_ref::<RequestError>()).map(RequestError::kind);
    match (error.kind(), cause) {
        (GetStreamErrorKind::JetStream(answer), _) if !disabled.contains(&answer.error_code()) => error.to_string(),
        (_, Some(RequestErrorKind::TimedOut)) => {
            "JetStream does not answer; may the user use the subjects $JS.API.>, $JS.ACK.> and _INBOX.>?".to_owned()
        }
        _ => "JetStream is not enabled there; start nats-server with --jetstream, or enable it for the account, or \
              leave out the stream's name to use core NATS, which stores nothing"
            .to_owned(),
    }
}
