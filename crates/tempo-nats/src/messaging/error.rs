//! Converts failures of NATS to messaging errors.

use tempo_messaging::{Error, ErrorKind};

use crate::connection::ConnectionLost;
use crate::error::NatsError;

impl From<NatsError> for Error {
    fn from(error: NatsError) -> Self {
        let (kind, problem) = match error {
            NatsError::Timeout => (ErrorKind::Timeout, "the broker did not answer in time"),
            NatsError::ConnectionLost => {
                (ErrorKind::Timeout, "the connection to the broker was lost before it answered")
            }
            NatsError::Unavailable => (ErrorKind::Unavailable, "the broker is unreachable"),
            NatsError::Backlog => (ErrorKind::QuotaExceeded, "too many publishes await their acknowledgement"),
            NatsError::AboveServer => (ErrorKind::TooLarge, "the message with its headers exceeds the server's limit"),
            NatsError::AboveStream => (ErrorKind::TooLarge, "the message exceeds the stream's limit"),
            NatsError::Full => (ErrorKind::QuotaExceeded, "the stream is full or busy"),
            NatsError::Sealed => (ErrorKind::AccessDenied, "the stream cannot be written"),
            NatsError::Gone => (ErrorKind::Other, "the stream was deleted"),
            // No publish has an expected sequence or a lifetime.
            NatsError::Conflict | NatsError::NoLifetimes | NatsError::Other => {
                (ErrorKind::Other, "the broker reports a failure")
            }
        };
        Self::new(kind, problem)
    }
}

/// The error for a lost connection.
pub(super) fn lost(lost: ConnectionLost) -> Error {
    NatsError::from(lost).into()
}

pub(super) fn no_stream() -> Error {
    Error::new(ErrorKind::NoResponders, "no stream takes messages of this topic")
}

pub(super) fn no_responders() -> Error {
    Error::new(ErrorKind::NoResponders, "no subscriber takes messages of this topic")
}

pub(super) fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, "no answer came in time")
}

/// The error for an answer with too many headers.
pub(super) fn refused_answer(reason: &str) -> Error {
    Error::new(ErrorKind::TooLarge, format!("an answer cannot be taken: {reason}"))
}

pub(super) fn invalid(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn no_such_letter() -> Error {
    invalid("there is no dead letter of that sequence")
}
