//! Why an operation on a container failed, as a guest is told.

use std::fmt;

use tempo_backend::OverBudget;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No container is configured under that name.
    NoSuchContainer,
    /// There is no object of that name.
    NoSuchObject,
    /// There is an object of that name, against what the operation asked for. Nothing was written.
    AlreadyExists,
    /// A name, an option or a value is not allowed.
    InvalidArgument,
    /// The object is larger than is allowed. Nothing was written.
    TooLarge,
    /// No answer came in time. Whether a write was done is not known.
    Timeout,
    /// The container cannot be reached just now.
    Unavailable,
    /// The container is full or is asked too often.
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
            Self::NoSuchContainer => "no_such_container",
            Self::NoSuchObject => "no_such_object",
            Self::AlreadyExists => "already_exists",
            Self::InvalidArgument => "invalid_argument",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
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

/// What an operation on a container ends with.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What every backend answers when there is no object of that name.
    pub fn no_such_object() -> Self {
        Self::new(ErrorKind::NoSuchObject, "there is no such object")
    }

    /// What every backend answers when an object must not be replaced.
    pub fn already_exists() -> Self {
        Self::new(ErrorKind::AlreadyExists, "there is an object of that name")
    }

    /// No container is configured under the name.
    pub fn no_such_container() -> Self {
        Self::new(ErrorKind::NoSuchContainer, "no container of that name is configured")
    }

    /// An argument is not allowed: `message` says why.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blobstore: {}", self.message)
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
