//! The error of a broker operation, as it reaches the guest.

use std::fmt;

use tempo_backend::OverBudget;

/// Kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No client is configured under this name.
    NoSuchClient,
    /// The topic, a header or another part of the message is invalid.
    InvalidArgument,
    /// The message exceeds a limit of the host or the server.
    TooLarge,
    /// The operation timed out. The message may have been accepted.
    Timeout,
    /// No subscriber takes messages of this topic.
    NoResponders,
    /// The server is unreachable.
    Unavailable,
    /// A quota or rate limit is exhausted.
    QuotaExceeded,
    /// The component or the host's credentials lack permission.
    AccessDenied,
    /// Any other failure.
    Other,
}

impl ErrorKind {
    /// The value of the attribute `error.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchClient => "no_such_client",
            Self::InvalidArgument => "invalid_argument",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::NoResponders => "no_responders",
            Self::Unavailable => "unavailable",
            Self::QuotaExceeded => "quota_exceeded",
            Self::AccessDenied => "access_denied",
            Self::Other => "_OTHER",
        }
    }
}

/// The error of a broker operation. Its message reaches the guest, so it contains no secrets and no internals of the
/// host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// Result of a broker operation.
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

    /// The message, without the name of the service.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messaging: {}", self.message)
    }
}

impl std::error::Error for Error {}

/// A budget that is exhausted maps to a quota; a value above the whole budget is too large.
impl From<OverBudget> for Error {
    fn from(over: OverBudget) -> Self {
        let kind = match over {
            OverBudget::TooLarge { .. } => ErrorKind::TooLarge,
            OverBudget::Exhausted { .. } => ErrorKind::QuotaExceeded,
        };
        Self::new(kind, over.to_string())
    }
}
