//! The error of a container operation, as it reaches the guest.

use std::fmt;

use tempo_backend::OverBudget;

/// Kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No container is configured under that name.
    NoSuchContainer,
    /// There is no object of that name.
    NoSuchObject,
    /// An object of this name exists. Nothing was written.
    AlreadyExists,
    /// A name, an option or a value is not allowed.
    InvalidArgument,
    /// The object exceeds the size limit. Nothing was written.
    TooLarge,
    /// The operation timed out. A write may have been done.
    Timeout,
    /// The container is unreachable.
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

/// The error of a container operation. Its message reaches the guest, so it contains no secrets and no internals of the
/// host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// Result of a container operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The error of a missing object.
    pub fn no_such_object() -> Self {
        Self::new(ErrorKind::NoSuchObject, "there is no such object")
    }

    /// The error of a name that is taken.
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

    /// Returns the kind.
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
