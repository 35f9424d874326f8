//! How a host function fails: with an error for the guest, or with a trap when the host itself is at fault.

use wasmtime::component::ResourceTableError;

use crate::{Error, ErrorKind};

/// What `bindgen!` takes in place of each interface's error type.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest is told.
    Error(Error),
    /// The guest gave a handle that it does not have, or holds too much.
    Trap(wasmtime::Error),
}

impl Failure {
    /// The error for the guest, or the trap.
    pub(crate) fn into_error(self) -> wasmtime::Result<Error> {
        match self {
            Self::Error(error) => {
                // Not every interface has room for the text.
                tracing::debug!(kind = ?error.kind(), "{error}");
                Ok(error)
            }
            Self::Trap(trap) => Err(trap),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(trap: wasmtime::Error) -> Self {
        Self::Trap(trap)
    }
}

/// The error for a name that is not configured.
pub(crate) fn no_such_client() -> Error {
    Error::new(ErrorKind::NoSuchClient, "no client of that name is configured (--messaging NAME=URL)")
}
