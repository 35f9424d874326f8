//! The stream of a broker: found, created, extended or refused, and which topics it takes.

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

use super::failure;
use crate::connection::Connection;
use crate::failure::Failure;

/// What says that a stream or a consumer was made by Tempo, and may be changed by it.
pub(super) const MARK: &str = "tempo";

/// How long a stream may go on as if it did not take a topic that others have added, where to ask each time is too much.
pub(super) const STALE: Duration = Duration::from_secs(2);

/// How often somebody else may change a stream before ours is given up.
const RACES: usize = 10;

/// A stream by its name, whether it exists or not.
pub(super) struct NamedStream {
    pub(super) connection: Connection,
    pub(super) name: String,
    /// How a person calls it.
    shown: String,
    known: Mutex<Known>,
}

/// What the stream was like when it was last asked.
#[derive(Default)]
struct Known {
    asked: Option<Instant>,
    subjects: Vec<String>,
}

impl NamedStream {
    pub(super) fn new(connection: Connection, name: String, shown: String) -> Self {
        Self { connection, name, shown, known: Mutex::default() }
    }

    /// Finds out whether the server has JetStream and the stream. That it has no such stream is no error.
    pub(super) async fn look(&self) -> std::result::Result<Option<Stream>, Error> {
        let asked = self.connection.ask(self.connection.jetstream().get_stream(&self.name)).await;
        match asked.map_err(|_| self.wrong("the connection was lost"))? {
            Ok(stream) => {
                self.learn(&stream.cached_info().config.subjects);
                Ok(Some(stream))
            }
            Err(error) if is_missing(&error) => {
                self.learn(&[]);
                Ok(None)
            }
            Err(error) => Err(self.wrong(explain(&error))),
        }
    }

    /// The stream, for an operation of a guest or an operator.
    pub(super) async fn get(&self) -> Result<Option<Stream>> {
        match self.connection.ask(self.connection.jetstream().get_stream(&self.name)).await.map_err(failure::lost)? {
            Ok(stream) => {
                self.learn(&stream.cached_info().config.subjects);
                Ok(Some(stream))
            }
            Err(error) if is_missing(&error) => {
                self.learn(&[]);
                Ok(None)
            }
            Err(error) => Err(Failure::from(error).into()),
        }
    }

    /// Whether the stream takes messages of a topic. That it does not is true of a moment at most `stale` ago.
    pub(super) async fn takes(&self, topic: &str, stale: Duration) -> Result<bool> {
        let (takes, fresh) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.takes(topic), known.asked.is_some_and(|asked| asked.elapsed() < stale))
        };
        if takes || fresh {
            return Ok(takes);
        }
        self.get().await?;
        Ok(self.known.lock().unwrap_or_else(PoisonError::into_inner).takes(topic))
    }

    fn learn(&self, subjects: &[String]) {
        let known = Known { asked: Some(Instant::now()), subjects: subjects.to_vec() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The stream with these subjects: as it is, or extended or, with so many replicas, created if Tempo may.
    pub(super) async fn with(&self, filters: &[String], replicas: usize) -> std::result::Result<Stream, Error> {
        for _ in 0..RACES {
            let Some(stream) = self.look().await? else {
                self.create(filters, replicas).await?;
                continue;
            };
            let config = &stream.cached_info().config;
            let covered = |filter: &&String| config.subjects.iter().any(|subject| topic::covers(subject, filter));
            let Some(missing) = filters.iter().find(|filter| !covered(filter)) else { return Ok(stream) };
            if config.metadata.contains_key(MARK) {
                self.extend(config, filters).await?;
            } else if filters.iter().all(|filter| config.subjects.iter().any(|s| topic::overlap(s, filter))) {
                // Asks for more than there is, as `>` does.
                return Ok(stream);
            } else {
                return Err(self.wrong(format!(
                    "the stream does not take {missing}, and was not made by Tempo; add the subject, for example with \
                     `nats stream edit {}`, or name another stream",
                    self.name
                )));
            }
        }
        Err(self.wrong("others change the stream all the time"))
    }

    async fn create(&self, subjects: &[String], replicas: usize) -> std::result::Result<(), Error> {
        let config = Config {
            name: self.name.clone(),
            subjects: topic::prune(subjects),
            storage: StorageType::File,
            num_replicas: replicas,
            metadata: HashMap::from([(MARK.to_owned(), "messaging".to_owned())]),
            ..Config::default()
        };
        let created = self.connection.ask(self.connection.jetstream().create_stream(config)).await;
        match created.map_err(|_| self.wrong("the connection was lost"))? {
            Ok(_) => Ok(()),
            // Somebody else was first, perhaps with other subjects.
            Err(error) if answer(&error) == Some(ErrorCode::STREAM_NAME_EXIST) => Ok(()),
            Err(error) => Err(self.wrong(format!("the stream cannot be created: {error}"))),
        }
    }

    async fn extend(&self, config: &Config, filters: &[String]) -> std::result::Result<(), Error> {
        let subjects = topic::prune(config.subjects.iter().chain(filters));
        let extended = Config { subjects, ..config.clone() };
        let updated = self.connection.ask(self.connection.jetstream().update_stream(extended)).await;
        let updated = updated.map_err(|_| self.wrong("the connection was lost"))?;
        updated.map(drop).map_err(|error| self.wrong(format!("the stream cannot take more subjects: {error}")))
    }

    /// The error for settings that do not fit to what is there.
    pub(super) fn misfit(&self, problem: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::BadConfiguration, format!("{}: {}", self.shown, problem.as_ref()))
    }

    /// An error that says where it was.
    pub(super) fn wrong(&self, problem: impl AsRef<str>) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {}", self.shown, problem.as_ref()))
    }
}

impl Known {
    fn takes(&self, topic: &str) -> bool {
        self.subjects.iter().any(|subject| topic::matches(subject, topic))
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn answer(error: &CreateStreamError) -> Option<ErrorCode> {
    match error.kind() {
        CreateStreamErrorKind::JetStream(error) => Some(error.error_code()),
        _ => None,
    }
}

/// The cause, and what to do about it.
fn explain(error: &GetStreamError) -> String {
    let disabled = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    let cause = error.source().and_then(|source| source.downcast_ref::<RequestError>()).map(RequestError::kind);
    match (error.kind(), cause) {
        (GetStreamErrorKind::JetStream(answer), _) if !disabled.contains(&answer.error_code()) => error.to_string(),
        (_, Some(RequestErrorKind::TimedOut)) => {
            "JetStream does not answer; may the user use the subjects $JS.API.>, $JS.ACK.> and _INBOX.>?".to_owned()
        }
        _ => "JetStream is not enabled there; start nats-server with --jetstream, or enable it for the account, or \
              leave out the stream's name and do without what it keeps"
            .to_owned(),
    }
}
