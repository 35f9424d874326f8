//! The one error type of the crate: what kind of failure it was, for programs, and what happened, for people.

use std::borrow::Cow;
use std::{error, fmt};

use crate::bindings::tempo::messaging::types;

/// What kind of failure it was: the cases of `tempo:messaging/types.error-kind`, and one of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host has no client of that name for this component.
    NoSuchClient,
    /// A topic, a header or another part of the message is not allowed.
    InvalidArgument,
    /// The message is larger than the host or the server allows.
    TooLarge,
    /// No answer came in time. Whether the message was accepted is not known.
    Timeout,
    /// Nobody takes messages of that topic.
    NoResponders,
    /// The server cannot be reached just now; later it may be.
    Unavailable,
    /// There is no room for more, or messages come too fast.
    QuotaExceeded,
    /// The component, or the host with its credentials, may not do that.
    AccessDenied,
    /// The payload is not what it was read as: not UTF-8, not JSON of that form.
    Decode,
    /// Anything else.
    Other,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::NoSuchClient => "the host has no messaging client of that name",
            Self::InvalidArgument => "a part of the message is not allowed",
            Self::TooLarge => "the message is larger than the host allows",
            Self::Timeout => "no answer came in time",
            Self::NoResponders => "nobody takes messages of that topic",
            Self::Unavailable => "the server that takes messages cannot be reached",
            Self::QuotaExceeded => "there is no room for more messages, or they come too fast",
            Self::AccessDenied => "messages of that topic are not allowed",
            Self::Decode => "the payload is not what it was read as",
            Self::Other => "messaging failed",
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The kind of failure.
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
    fn what_the_host_says_in_words_is_kept() {
        assert_eq!(host("at most 1 MiB").kind(), ErrorKind::TooLarge);
        assert_eq!(host("at most 1 MiB").to_string(), "at most 1 MiB");
        assert_eq!(host("").to_string(), "the message is larger than the host allows");
    }
}
