//! Failure of a host function: an error for the guest, or a trap.

use wasmtime::component::ResourceTableError;

use crate::{Error, ErrorKind};

/// The error type of all interfaces in `bindgen!`.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Returned to the guest.
    Error(Error),
    /// An invalid handle, or too many handles.
    Trap(wasmtime::Error),
}

impl Failure {
    /// Returns the error for the guest, or the trap.
    pub(crate) fn into_error(self) -> wasmtime::Result<Error> {
        match self {
            Self::Error(error) => {
                // Most interfaces do not return the text.
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

/// The error for an unknown store name.
pub(crate) fn no_such_store() -> Error {
    Error::new(ErrorKind::NoSuchStore, "no store of that name is configured")
}
