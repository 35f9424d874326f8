//! TrappableError of a host function: an error for the guest, or a trap.

use wasmtime::component::ResourceTableError;

use crate::{Error, ErrorKind};

/// The error type of all interfaces in `bindgen!`.
#[derive(Debug)]
pub(crate) enum TrappableError {
    /// Returned to the guest.
    Error(Error),
    /// An invalid handle, or too many handles.
    Trap(wasmtime::Error),
}

impl TrappableError {
    /// Returns the error for the guest, or the trap.
    pub(crate) fn into_error(self) -> wasmtime::Result<Error> {
        match self {
            Self::Error(error) => {
                // Not every interface returns the text.
                tracing::debug!(kind = ?error.kind(), "{error}");
                Ok(error)
            }
            Self::Trap(trap) => Err(trap),
        }
    }
}

impl From<Error> for TrappableError {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<ResourceTableError> for TrappableError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for TrappableError {
    fn from(trap: wasmtime::Error) -> Self {
        Self::Trap(trap)
    }
}

/// The error for an unknown client name.
pub(crate) fn no_such_client() -> Error {
    Error::new(ErrorKind::NoSuchClient, "no client of that name is configured (--messaging NAME=URL)")
}
