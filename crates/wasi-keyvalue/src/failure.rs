//! How a host function fails: with an error for the guest, or with a trap when the host itself is at fault.

use wasmtime::component::ResourceTableError;

use crate::{Error, ErrorKind};

/// What `bindgen!` takes in place of each interface's error type.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The guest is told.
    Error(Error),
    /// The guest gave a handle that it does not have, or has too many of them.
    Trap(wasmtime::Error),
}

impl Failure {
    /// The error for the guest, or the trap.
    pub(crate) fn into_error(self) -> wasmtime::Result<Error> {
        match self {
            Self::Error(error) => {
                // Most interfaces have no room for the text.
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

/// The error for a name that is not configured.
pub(crate) fn no_such_store() -> Error {
    Error::new(ErrorKind::NoSuchStore, "no store of that name is configured")
}
