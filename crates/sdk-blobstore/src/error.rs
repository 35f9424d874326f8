//! The error type of the crate: a kind for programs, and a message for people.

use std::borrow::Cow;
use std::{error, fmt};

use crate::bindings::tempo::blobstore::store;

/// The kind of an [`Error`]: the cases of `tempo:blobstore/store.error-kind`, and two of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host has no container of that name for this component.
    NoSuchContainer,
    /// There is no object of that name.
    NoSuchObject,
    /// There is an object, and [`PutOptions::if_absent`](crate::PutOptions::if_absent) is set.
    AlreadyExists,
    /// The store does not allow the name or an option: for example, an empty name or one longer than 1,024 bytes.
    InvalidArgument,
    /// The object exceeds the host's size limit.
    TooLarge,
    /// The store did not respond in time. Whether a write took effect is unknown.
    Timeout,
    /// The container is unreachable. A later attempt may succeed.
    Unavailable,
    /// The container is full, or limits the rate of requests.
    QuotaExceeded,
    /// The host denies the operation to this component, or the store denies it to the host's credentials.
    AccessDenied,
    /// The received bytes are fewer than announced, or others.
    Incomplete,
    /// The object cannot be decoded: it is not UTF-8, or not the expected JSON.
    Decode,
    /// Any other error.
    Other,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::NoSuchContainer => "the host has no container of that name",
            Self::NoSuchObject => "there is no object of that name",
            Self::AlreadyExists => "there is already an object of that name",
            Self::InvalidArgument => "a name or an option is not allowed by the container",
            Self::TooLarge => "the object is larger than the host allows",
            Self::Timeout => "the container did not answer in time",
            Self::Unavailable => "the container cannot be reached",
            Self::QuotaExceeded => "the container is full or limits the rate of requests",
            Self::AccessDenied => "access to the container was denied",
            Self::Incomplete => "the object is cut short",
            Self::Decode => "the object cannot be decoded",
            Self::Other => "the container failed",
        }
    }
}

/// An error of an operation on a container or an object.
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
    fn the_message_of_the_host_is_kept() {
        assert_eq!(host("at most 1 GiB").kind(), ErrorKind::TooLarge);
        assert_eq!(host("at most 1 GiB").to_string(), "at most 1 GiB");
        assert_eq!(host("").to_string(), "the object is larger than the host allows");
    }
}
