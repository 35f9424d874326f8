//! Why a value could not be had.

use std::{error, fmt};

use crate::bindings::wasi::config::store;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The source behind the host failed.
    Upstream,
    /// The host could not read its source.
    Io,
    /// The value has not the form that [`parse`](crate::parse) was asked for.
    Invalid,
    /// Nothing is configured under a key that is [required](crate::require).
    Missing,
}

/// An error of this crate: what went wrong with which key. It never shows a value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// What went wrong.
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
