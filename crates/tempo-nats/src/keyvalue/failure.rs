//! What a failure of NATS is called in a keyvalue store, and the failures that only such a store has.

use tempo_keyvalue::{Error, ErrorKind};

use crate::failure::Failure;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let (kind, problem) = match failure {
            Failure::Conflict => return condition(),
            Failure::NoLifetimes => return no_lifetimes(),
            Failure::Timeout => (ErrorKind::Timeout, "the store did not answer in time"),
            Failure::ConnectionLost => (ErrorKind::Timeout, "the connection to the store was lost before it answered"),
            Failure::Unavailable => (ErrorKind::Unavailable, "the store cannot be reached just now"),
            Failure::Backlog => (ErrorKind::QuotaExceeded, "too many writes wait for their answer"),
            Failure::AboveServer => (ErrorKind::InvalidArgument, "the value is above what the server takes"),
            Failure::AboveStream => (ErrorKind::InvalidArgument, "the value is above the bucket's maximum"),
            Failure::Full => (ErrorKind::QuotaExceeded, "the store is full or busy"),
            Failure::Sealed => (ErrorKind::AccessDenied, "the store cannot be written"),
            Failure::Gone => (ErrorKind::NoSuchStore, "the store was deleted"),
            Failure::Other => (ErrorKind::Other, "the store reports a failure"),
        };
        Self::new(kind, problem)
    }
}

pub(super) fn condition() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the entry is not what the operation asked for")
}

pub(super) fn too_large(size: usize, maximum: usize) -> Error {
    let problem = format!("a value of {size} bytes is above what the server takes: {maximum}, its headers included");
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn no_lifetimes() -> Error {
    let problem = "this store cannot end an entry's life: it needs nats-server 2.11, and a bucket with limit markers";
    Error::new(ErrorKind::InvalidArgument, problem)
}
