//! The one error type of the crate: what kind of failure it was, for programs, and what happened, for people.

use std::borrow::Cow;
use std::{error, fmt};

use crate::bindings::tempo::blobstore::store;

/// What kind of failure it was: the cases of `tempo:blobstore/store.error-kind`, and two of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host has no container of that name for this component.
    NoSuchContainer,
    /// There is no object of that name.
    NoSuchObject,
    /// There is an object already, and the write was to be done [only if not](crate::PutOptions::if_absent).
    AlreadyExists,
    /// A name or an option is not allowed: an empty name, for example, or one of more than 1,024 bytes.
    InvalidArgument,
    /// The object is larger than the host allows.
    TooLarge,
    /// No answer came in time. Whether a write was done is not known.
    Timeout,
    /// The container cannot be reached just now; later it may be.
    Unavailable,
    /// The container is full, or is asked too often.
    QuotaExceeded,
    /// The component, or the host with its credentials, may not do that.
    AccessDenied,
    /// The bytes that came are not all, or not the ones that were announced.
    Incomplete,
    /// The object is there, and is not what it was read as: not UTF-8, not JSON of that form.
    Decode,
    /// Anything else.
    Other,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::NoSuchContainer => "the host has no container of that name",
            Self::NoSuchObject => "there is no object of that name",
            Self::AlreadyExists => "there is an object of that name already",
            Self::InvalidArgument => "a name or an option is not allowed by the container",
            Self::TooLarge => "the object is larger than the host allows",
            Self::Timeout => "the container did not answer in time",
            Self::Unavailable => "the container cannot be reached",
            Self::QuotaExceeded => "the container is full or is asked too often",
            Self::AccessDenied => "access to the container was denied",
            Self::Incomplete => "the object did not come whole",
            Self::Decode => "the object is not what it was read as",
            Self::Other => "the container failed",
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

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::ErrorKind as Host;
        let kind = match error.kind {
            Host::NoSuchContainer => ErrorKind::NoSuchContainer,
            Host::NoSuchObject => ErrorKind::NoSuchObject,
            Host::AlreadyExists => ErrorKind::AlreadyExists,
            Host::InvalidArgument => ErrorKind::InvalidArgument,
            Host::TooLarge => ErrorKind::TooLarge,
            Host::Timeout => ErrorKind::Timeout,
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
        store::Error { kind: store::ErrorKind::TooLarge, message: message.to_owned() }.into()
    }

    #[test]
    fn what_the_host_says_in_words_is_kept() {
        assert_eq!(host("at most 1 GiB").kind(), ErrorKind::TooLarge);
        assert_eq!(host("at most 1 GiB").to_string(), "at most 1 GiB");
        assert_eq!(host("").to_string(), "the object is larger than the host allows");
    }
}
