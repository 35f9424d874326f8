//! The error of a store operation, as it reaches the guest.

use std::fmt;

use tempo_backend::OverBudget;

/// Kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No store is configured under this name.
    NoSuchStore,
    /// The component or the host's credentials lack permission.
    AccessDenied,
    /// The key, the value or the request is invalid.
    InvalidArgument,
    /// The condition of a write does not hold. Nothing was written.
    PreconditionFailed,
    /// The operation timed out. A write may have been done.
    Timeout,
    /// The store is unreachable.
    Unavailable,
    /// A quota or rate limit is exhausted.
    QuotaExceeded,
    /// Any other failure.
    Other,
}

impl ErrorKind {
    /// The value of the attribute `error.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchStore => "no_such_store",
            Self::AccessDenied => "access_denied",
            Self::InvalidArgument => "invalid_argument",
            Self::PreconditionFailed => "precondition_failed",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Other => "_OTHER",
        }
    }
}

/// The error of a store operation. Its message reaches the guest, so it contains no secrets and no internals of the
/// host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyvalue: {}", self.message)
    }
}

impl std::error::Error for Error {}

/// A budget of the host is a quota, like that of a store.
impl From<OverBudget> for Error {
    fn from(over: OverBudget) -> Self {
        Self::new(ErrorKind::QuotaExceeded, over.to_string())
    }
}
