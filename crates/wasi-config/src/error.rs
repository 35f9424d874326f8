//! Errors of configuration values.

/// Why a value could not be read. The text is passed to the guest: it contains no secrets and no internals of the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server or store behind the backend failed.
    #[error("the source of the configuration failed: {0}")]
    Upstream(String),
    /// The host could not read or return a value.
    #[error("the configuration cannot be read: {0}")]
    Io(String),
}
