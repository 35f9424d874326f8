//! The error type of the crate: a kind for programs, and a message for people.

use std::borrow::Cow;
use std::{error, fmt};

use crate::bindings::tempo::messaging::types;

/// The kind of an [`Error`]: the cases of `tempo:messaging/types.error-kind`, and one of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host has no client of that name for this component.
    NoSuchClient,
    /// The topic, a header or another part of the message is not allowed.
    InvalidArgument,
    /// The message exceeds the size limit of the host or the server.
    TooLarge,
    /// No reply arrived in time. Whether the message was accepted is unknown.
    Timeout,
    /// The topic has no subscriber.
    NoResponders,
    /// The server is unreachable. A later attempt may succeed.
    Unavailable,
    /// The server is full, or limits the rate of messages.
    QuotaExceeded,
    /// The host denies the operation to this component, or the server denies it to the host's credentials.
    AccessDenied,
    /// The payload cannot be decoded: it is not UTF-8, or not the expected JSON.
    Decode,
    /// Any other error.
    Other,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::NoSuchClient => "the host has no messaging client of that name",
            Self::InvalidArgument => "a part of the message is not allowed",
            Self::TooLarge => "the message is larger than the host allows",
            Self::Timeout => "no reply arrived in time",
            Self::NoResponders => "no subscriber receives messages of that topic",
            Self::Unavailable => "the server cannot be reached",
            Self::QuotaExceeded => "the server is full, or limits the rate of messages",
            Self::AccessDenied => "access to the topic was denied",
            Self::Decode => "the payload cannot be decoded",
            Self::Other => "messaging failed",
        }
    }
}

/// An error of a messaging operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        use types::ErrorKind as Host;
        let kind = match error.kind {
            Host::NoSuchClient => ErrorKind::NoSuchClient,
            Host::InvalidArgument => ErrorKind::InvalidArgument,
            Host::TooLarge => ErrorKind::TooLarge,
            Host::Timeout => ErrorKind::Timeout,
            Host::NoResponders => ErrorKind::NoResponders,
            Host::Unavailable => ErrorKind::Unavailable,
            Host::QuotaExceeded => ErrorKind::QuotaExceeded,
            Host::AccessDenied => ErrorKind::AccessDenied,
            Host::Other => ErrorKind::Other,
        };
        Self::new(kind, error.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { self.kind.text() } else { &self.message })
    }
}

impl error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(message: &str) -> Error {
        types::Error { kind: types::ErrorKind::TooLarge, message: message.to_owned() }.into()
    }

    #[test]
    fn the_message_of_the_host_is_kept() {
        assert_eq!(host("at most 1 MiB").kind(), ErrorKind::TooLarge);
        assert_eq!(host("at most 1 MiB").to_string(), "at most 1 MiB");
        assert_eq!(host("").to_string(), "the message is larger than the host allows");
    }
}
