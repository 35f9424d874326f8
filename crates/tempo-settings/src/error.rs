//! `Error`: a one-line error for users, with an exit code for scripts.

use std::fmt;

/// The kind of an error, which determines the exit code (`sysexits.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line is invalid (64).
    Usage,
    /// The component, or the precompiled file, cannot be run (65).
    BadComponent,
    /// A file does not exist or cannot be read (66).
    NotFound,
    /// An address is in use or a server cannot be reached (69).
    Unavailable,
    /// An output file cannot be written (73).
    CannotWrite,
    /// Refused for safety (77).
    Refused,
    /// A setting has a bad value (78).
    BadConfiguration,
}

impl ErrorKind {
    /// Returns the exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::BadComponent => 65,
            Self::NotFound => 66,
            Self::Unavailable => 69,
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
