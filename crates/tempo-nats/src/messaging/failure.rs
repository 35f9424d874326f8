//! Converts failures of NATS to messaging errors.

use tempo_messaging::{Error, ErrorKind};

use crate::connection::ConnectionLost;
use crate::failure::Failure;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (kind, problem) = match failure {
            Failure::Timeout => (ErrorKind::Timeout, "the broker did not answer in time"),
            Failure::ConnectionLost => (ErrorKind::Timeout, "the connection to the broker was lost before it answered"),
            Failure::Unavailable => (ErrorKind::Unavailable, "the broker is unreachable"),
            Failure::Backlog => (ErrorKind::QuotaExceeded, "too many publishes await their acknowledgement"),
            Failure::AboveServer => (ErrorKind::TooLarge, "the message with its headers exceeds the server's limit"),
            Failure::AboveStream => (ErrorKind::TooLarge, "the message exceeds the stream's limit"),
            Failure::Full => (ErrorKind::QuotaExceeded, "the stream is full or busy"),
            Failure::Sealed => (ErrorKind::AccessDenied, "the stream cannot be written"),
            Failure::Gone => (ErrorKind::Other, "the stream was deleted"),
            // No publish has an expected sequence or a lifetime.
            Failure::Conflict | Failure::NoLifetimes | Failure::Other => {
                (ErrorKind::Other, "the broker reports a failure")
            }
        };
        Self::new(kind, problem)
    }
}

/// The error for a lost connection.
pub(super) fn lost(lost: ConnectionLost) -> Error {
    Failure::from(lost).into()
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
