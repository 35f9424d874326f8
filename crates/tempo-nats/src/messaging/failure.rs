//! What a failure of NATS is called by a broker, and the failures that only a broker has.

use tempo_messaging::{Error, ErrorKind};

use crate::connection::Lost;
use crate::failure::Failure;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (kind, problem) = match failure {
            Failure::Timeout => (ErrorKind::Timeout, "the broker did not answer in time"),
            Failure::Lost => (ErrorKind::Timeout, "the connection to the broker was lost before it answered"),
            Failure::Unavailable => (ErrorKind::Unavailable, "the broker cannot be reached just now"),
            Failure::Backlog => (ErrorKind::QuotaExceeded, "too many messages wait for their answer"),
            Failure::AboveServer => {
                (ErrorKind::TooLarge, "the message with its headers is above what the server takes")
            }
            Failure::AboveStream => (ErrorKind::TooLarge, "the message is above the stream's maximum"),
            Failure::Full => (ErrorKind::QuotaExceeded, "the stream is full or busy"),
            Failure::Sealed => (ErrorKind::AccessDenied, "the stream cannot be written"),
            Failure::Gone => (ErrorKind::Other, "the stream was deleted"),
            // No message expects another before it, or has a lifetime.
            Failure::Conflict | Failure::NoLifetimes | Failure::Other => {
                (ErrorKind::Other, "the broker reports a failure")
            }
        };
        Self::new(kind, problem)
    }
}

/// What is said where there was no connection, or it was lost.
pub(super) fn lost(lost: Lost) -> Error {
    Failure::from(lost).into()
}

pub(super) fn no_stream() -> Error {
    Error::new(ErrorKind::NoResponders, "no stream takes messages of this topic")
}

pub(super) fn no_responders() -> Error {
    Error::new(ErrorKind::NoResponders, "nobody takes messages of this topic")
}

pub(super) fn no_answer() -> Error {
    Error::new(ErrorKind::Timeout, "no answer came in time")
}

/// For an answer that cannot be given to a component, which sees only what is its own.
pub(super) fn refused_answer(reason: &str) -> Error {
    Error::new(ErrorKind::TooLarge, format!("an answer cannot be taken: {reason}"))
}

pub(super) fn invalid(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn no_such_letter() -> Error {
    invalid("there is no dead letter of that sequence")
}
