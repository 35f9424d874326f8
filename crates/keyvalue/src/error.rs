//! Why an operation on a store failed, as a guest is told.

use std::fmt;

use tempo_backend::OverBudget;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No store is configured under that name.
    NoSuchStore,
    /// The component, or the credentials of the host, may not do that.
    AccessDenied,
    /// The key or the value is not allowed, or the request makes no sense.
    InvalidArgument,
    /// The entry is there, or has another version, against what the operation asked for. Nothing was written.
    PreconditionFailed,
    /// No answer came in time. Whether a write was done is not known.
    Timeout,
    /// The store cannot be reached just now.
    Unavailable,
    /// The store is full or is asked too often.
    QuotaExceeded,
    /// Something else.
    Other,
}

impl ErrorKind {
    /// What it is called where failures are counted: `error.type`.
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

/// Why an operation failed. The message reaches the guest: it names no secret and nothing of the host's inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What an operation on a store ends with.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of failure it was.
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

/// What the host holds for a component is a quota, like what a store keeps for it.
impl From<OverBudget> for Error {
    fn from(over: OverBudget) -> Self {
        Self::new(ErrorKind::QuotaExceeded, over.to_string())
    }
}
