//! The error type of the crate.

use std::{error, fmt};

use crate::bindings::wasi::config::store;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host's configuration source failed.
    Upstream,
    /// The host could not read its configuration source.
    Io,
    /// The value does not [parse](crate::parse) as the requested type.
    Invalid,
    /// A [required](crate::require) key is not configured.
    Missing,
}

/// An error of this crate, with its kind and the key. It never contains the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn invalid(key: &str, expected: &str) -> Self {
        Self { kind: ErrorKind::Invalid, message: format!("the configuration value {key:?} is not a valid {expected}") }
    }

    pub(crate) fn missing(key: &str) -> Self {
        Self { kind: ErrorKind::Missing, message: format!("the configuration value {key:?} is not set") }
    }

    pub(crate) fn from_host(what: &str, error: store::Error) -> Self {
        let (kind, text) = match error {
            store::Error::Upstream(text) => (ErrorKind::Upstream, text),
            store::Error::Io(text) => (ErrorKind::Io, text),
        };
        Self { kind, message: format!("cannot read {what}: {text}") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {}
