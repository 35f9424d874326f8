//! Why an operation on a broker failed, as a guest is told.

use std::fmt;

use tempo_backend::OverBudget;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No client is configured under that name.
    NoSuchClient,
    /// The topic, a header or another part of the message is not allowed.
    InvalidArgument,
    /// The message is larger than the host or the server allows.
    TooLarge,
    /// No answer came in time. Whether the message was accepted is not known.
    Timeout,
    /// Nobody takes messages of that topic.
    NoResponders,
    /// The server cannot be reached just now.
    Unavailable,
    /// There is no room for more, or messages come too fast.
    QuotaExceeded,
    /// The component, or the credentials of the host, may not do that.
    AccessDenied,
    /// Something else.
    Other,
}

impl ErrorKind {
    /// What it is called where failures are counted: `error.type`.
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

/// Why an operation failed. The message reaches the guest: it names no secret and nothing of the host's inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What an operation on a broker ends with.
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

    /// What happened, without the name of the service.
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

/// What the host holds for a component is a quota; more than all of it is never accepted.
impl From<OverBudget> for Error {
    fn from(over: OverBudget) -> Self {
        let kind = match over {
            OverBudget::TooLarge { .. } => ErrorKind::TooLarge,
            OverBudget::Exhausted { .. } => ErrorKind::QuotaExceeded,
        };
        Self::new(kind, over.to_string())
    }
}
