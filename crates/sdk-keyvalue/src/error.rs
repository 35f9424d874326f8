//! Why an operation on a bucket failed.

use std::{error, fmt};

use crate::bindings::wasmcloud::keyvalue::types;

/// Why an operation failed: the cases of `wasmcloud:keyvalue/types.error`, and one of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The host has no bucket of that name for this component.
    NoSuchStore,
    /// The component may not do that.
    AccessDenied,
    /// The key, the value or an option is not allowed: an empty key, for example, or one of more than 512 bytes.
    InvalidArgument,
    /// There is an entry already, and the write was to be done [only if not](crate::SetOptions::if_absent).
    PreconditionFailed,
    /// No answer came in time. Whether a write was done is not known.
    Timeout,
    /// The store cannot be reached just now; later it may be.
    StoreUnavailable,
    /// The store is full, or is asked too often.
    QuotaExceeded,
    /// Anything else, in words for people.
    Other(String),
    /// The value is there, and is not what it was read as: not UTF-8, not JSON of that form. The text says why.
    Decode(String),
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::NoSuchStore => Self::NoSuchStore,
            types::Error::AccessDenied => Self::AccessDenied,
            types::Error::InvalidArgument => Self::InvalidArgument,
            types::Error::PreconditionFailed => Self::PreconditionFailed,
            types::Error::Timeout => Self::Timeout,
            types::Error::StoreUnavailable => Self::StoreUnavailable,
            types::Error::QuotaExceeded => Self::QuotaExceeded,
            types::Error::Other(text) => Self::Other(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchStore => "the host has no keyvalue store of that name",
            Self::AccessDenied => "access to the keyvalue store was denied",
            Self::InvalidArgument => "a key, value or option is not allowed by the keyvalue store",
            Self::PreconditionFailed => "there is an entry under this key already",
            Self::Timeout => "the keyvalue store did not answer in time",
            Self::StoreUnavailable => "the keyvalue store cannot be reached",
            Self::QuotaExceeded => "the keyvalue store is full or is asked too often",
            Self::Other(text) => return write!(f, "the keyvalue store failed: {text}"),
            Self::Decode(text) => return write!(f, "the value is not what it was read as: {text}"),
        })
    }
}

impl error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_says_in_words_is_kept() {
        let error = Error::from(types::Error::Other("disk full".to_owned()));
        assert_eq!(error, Error::Other("disk full".to_owned()));
        assert_eq!(error.to_string(), "the keyvalue store failed: disk full");
    }
}
