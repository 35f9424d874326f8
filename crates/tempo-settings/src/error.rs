//! `Error`: a one-line error for users, with an exit code for scripts.

use std::fmt;

/// A result with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`]: the failure that it names. A program maps it to its exit code with [`exit_code`](ErrorKind::exit_code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line is invalid.
    Usage,
    /// The component, or the precompiled file, cannot be run.
    BadComponent,
    /// A file does not exist or cannot be read.
    NotFound,
    /// An address is in use or a server cannot be reached.
    Unavailable,
    /// The host failed, by no fault of the user's: a thread or a task ended, the system refused a resource.
    Internal,
    /// An output file cannot be written.
    CannotWrite,
    /// Refused for safety.
    Refused,
    /// A setting has a bad value.
    BadConfiguration,
}

impl ErrorKind {
    /// Returns the exit code of a process that ends with such an error, by `sysexits.h`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::BadComponent => 65,
            Self::NotFound => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::CannotWrite => 73,
            Self::Refused => 77,
            Self::BadConfiguration => 78,
        }
    }
}

/// A one-line error: what happened, where, and what to do. It contains no secret and no backtrace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// Creates an error of `kind` with `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Creates an error of the kind [`Internal`](ErrorKind::Internal), with the text of `cause` in one line.
    pub fn internal(cause: impl fmt::Display) -> Self {
        // The alternate form of `anyhow` and `wasmtime` errors has all causes.
        Self::new(ErrorKind::Internal, format!("{cause:#}"))
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
