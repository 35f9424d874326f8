//! Why a value could not be read, as a guest is told.

/// Why a value could not be read. The text reaches the guest: it names no secret and nothing of the host's inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server or store behind the backend failed.
    #[error("the source of the configuration failed: {0}")]
    Upstream(String),
    /// The host could not read or hand over a value.
    #[error("the configuration cannot be read: {0}")]
    Io(String),
}
