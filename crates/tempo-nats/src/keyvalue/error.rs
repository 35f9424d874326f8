//! Converts `NatsError` to the errors of keyvalue stores, and creates those that only a store has.

use tempo_keyvalue::{Error, ErrorKind};

use crate::error::NatsError;

impl From<NatsError> for Error {
    fn from(error: NatsError) -> Self {
        let (kind, problem) = match error {
            NatsError::Conflict => return condition(),
            NatsError::NoLifetimes => return no_lifetimes(),
            NatsError::Timeout => (ErrorKind::Timeout, "the store did not answer in time"),
            NatsError::ConnectionLost => {
                (ErrorKind::Timeout, "the connection to the store was lost before it answered")
            }
            NatsError::Unavailable => (ErrorKind::Unavailable, "the store is unreachable"),
            NatsError::Backlog => (ErrorKind::QuotaExceeded, "too many writes await their acknowledgement"),
            NatsError::AboveServer => (ErrorKind::InvalidArgument, "the value exceeds the server's limit"),
            NatsError::AboveStream => (ErrorKind::InvalidArgument, "the value exceeds the bucket's limit"),
            NatsError::Full => (ErrorKind::QuotaExceeded, "the store is full or busy"),
            NatsError::Sealed => (ErrorKind::AccessDenied, "the store cannot be written"),
            NatsError::Gone => (ErrorKind::NoSuchStore, "the store was deleted"),
            NatsError::Other => (ErrorKind::Other, "the store reports a failure"),
        };
        Self::new(kind, problem)
    }
}

pub(super) fn condition() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the entry does not meet the condition")
}

pub(super) fn too_large(size: usize, maximum: usize) -> Error {
    let problem = format!("a value of {size} bytes exceeds the limit of the server: {maximum}, its headers included");
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn no_lifetimes() -> Error {
    let problem = "this store cannot end an entry's life: it needs nats-server 2.11, and a bucket with limit markers";
    Error::new(ErrorKind::InvalidArgument, problem)
}
