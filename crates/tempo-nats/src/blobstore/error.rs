//! Converts errors of NATS to blobstore errors.

use tempo_blobstore::{Error, ErrorKind};

use crate::error::NatsError;

impl From<NatsError> for Error {
    fn from(error: NatsError) -> Self {
        let (kind, problem) = match error {
            NatsError::Conflict => return Self::already_exists(),
            NatsError::Timeout => (ErrorKind::Timeout, "the container did not answer in time"),
            NatsError::ConnectionLost => {
                (ErrorKind::Timeout, "the connection to the container was lost before it answered")
            }
            NatsError::Unavailable => (ErrorKind::Unavailable, "the container is unreachable"),
            NatsError::Backlog => (ErrorKind::QuotaExceeded, "too many writes await their acknowledgement"),
            // Chunks fit the server's limit, so this is the metadata message.
            NatsError::AboveServer => {
                (ErrorKind::InvalidArgument, "the name and the metadata exceed the server's limit")
            }
            NatsError::AboveStream => (ErrorKind::InvalidArgument, "a part of the object exceeds the bucket's limit"),
            NatsError::Full => (ErrorKind::QuotaExceeded, "the container is full or busy"),
            NatsError::Sealed => (ErrorKind::AccessDenied, "the container cannot be written"),
            NatsError::Gone => (ErrorKind::NoSuchContainer, "the container was deleted"),
            // Objects have no TTL.
            NatsError::NoLifetimes | NatsError::Other => (ErrorKind::Other, "the container reports a failure"),
        };
        Self::new(kind, problem)
    }
}

pub(super) fn busy() -> Error {
    Error::new(ErrorKind::QuotaExceeded, "too many concurrent writes of the object")
}

/// The error for chunks that do not match the object's metadata.
pub(super) fn changed() -> Error {
    Error::new(ErrorKind::Other, "the object was replaced or deleted while it was read, or it is damaged")
}

/// The error for an upload that lacks some bytes.
pub(super) fn incomplete() -> Error {
    Error::new(ErrorKind::Other, "the upload has failed before")
}
