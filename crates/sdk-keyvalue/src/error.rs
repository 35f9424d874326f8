//! The error type of the crate.

use std::{error, fmt};

use crate::bindings::wasmcloud::keyvalue::types;

/// An error of an operation on a bucket: the cases of `wasmcloud:keyvalue/types.error`, and [`Decode`](Self::Decode).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The host has no bucket of that name for this component.
    NoSuchStore,
    /// The host denies the operation to this component.
    AccessDenied,
    /// The store does not allow the key, the value or an option: for example, an empty key or one longer than 512
    /// bytes.
    InvalidArgument,
    /// There is an entry, and [`SetOptions::if_absent`](crate::SetOptions::if_absent) is set.
    PreconditionFailed,
    /// The store did not respond in time. Whether a write took effect is unknown.
    Timeout,
    /// The store is unreachable. A later attempt may succeed.
    StoreUnavailable,
    /// The store is full, or limits the rate of requests.
    QuotaExceeded,
    /// Any other error, with the host's message.
    Other(String),
    /// The value cannot be decoded: it is not UTF-8, or not the expected JSON. The text is the cause.
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
            Self::PreconditionFailed => "there is already an entry under this key",
            Self::Timeout => "the keyvalue store did not answer in time",
            Self::StoreUnavailable => "the keyvalue store cannot be reached",
            Self::QuotaExceeded => "the keyvalue store is full or limits the rate of requests",
            Self::Other(text) => return write!(f, "the keyvalue store failed: {text}"),
            Self::Decode(text) => return write!(f, "the value cannot be decoded: {text}"),
        })
    }
}

impl error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_the_host_is_kept() {
        let error = Error::from(types::Error::Other("disk full".to_owned()));
        assert_eq!(error, Error::Other("disk full".to_owned()));
        assert_eq!(error.to_string(), "the keyvalue store failed: disk full");
    }
}
