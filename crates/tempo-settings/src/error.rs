//! `Error`: a one-line error for users, with an exit code for scripts.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

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
///
/// `{}` formats the message and the advice; `{:#}` formats the causes between the two, as a user reads it:
///
/// ```
/// use tempo_settings::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::CannotWrite, "cannot write app.wasm")
///     .with_source(std::io::Error::other("the disk is full"))
///     .with_advice("choose another file with -o");
/// assert_eq!(error.to_string(), "cannot write app.wasm; choose another file with -o");
/// assert_eq!(format!("{error:#}"), "cannot write app.wasm: the disk is full; choose another file with -o");
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    /// `None` stands for the text of the source, whose own source is then that of this error.
    message: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    advice: Option<String>,
}

impl Error {
    /// Creates an error of `kind` with `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: Some(message.into()), source: None, advice: None }
    }

    /// Creates an error of the kind [`Internal`](ErrorKind::Internal), with the text and the causes of `cause`.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Internal, message: None, source: Some(cause.into().into()), advice: None }
    }

    /// Sets the cause, which the message does not contain.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into().into()), ..self }
    }

    /// Sets what the user can do, without a period.
    #[must_use]
    pub fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.message, &self.source) {
            (Some(message), Some(source)) if f.alternate() => {
                f.write_str(&joined(message.clone(), &one_line(&**source)))?
            }
            (Some(message), _) => f.write_str(message)?,
            (None, Some(source)) if f.alternate() => f.write_str(&one_line(&**source))?,
            (None, Some(source)) => write!(f, "{source}")?,
            (None, None) => {}
        }
        self.advice.iter().try_for_each(|advice| write!(f, "; {advice}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        if self.message.is_some() { Some(source) } else { source.source() }
    }
}

/// Two errors are equal if they have the same kind and the same text, with its causes.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && format!("{self:#}") == format!("{other:#}")
    }
}

impl Eq for Error {}

/// Formats an error and its causes in one line for users, as the `{:#}` of [`Error`] and of `anyhow` does, with the advice of
/// an [`Error`] among them at the end. A cause that the text of the previous error ends with already is left out.
pub fn one_line(error: &(dyn StdError + 'static)) -> String {
    let mut line = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let with_causes = error.downcast_ref::<Error>();
        let text = with_causes.map_or_else(|| error.to_string(), |error| format!("{error:#}"));
        line = if line.is_empty() { text } else { joined(line, &text) };
        next = error.source().filter(|_| with_causes.is_none());
    }
    line
}

/// Many errors format their cause themselves.
fn joined(line: String, cause: &str) -> String {
    if line.ends_with(cause) { line } else { format!("{line}: {cause}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable() -> Error {
        let cause = std::io::Error::other("the disk is gone");
        Error::new(ErrorKind::NotFound, "cannot read a").with_source(cause).with_advice("choose b")
    }

    #[test]
    fn causes_are_a_chain_and_one_line() {
        let outer = Error::new(ErrorKind::BadConfiguration, "--a").with_source(unreadable());
        assert_eq!(outer.to_string(), "--a");
        assert_eq!(format!("{outer:#}"), "--a: cannot read a: the disk is gone; choose b");
        let cause = outer.source().and_then(StdError::source).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("the disk is gone"));
    }

    #[test]
    fn an_internal_error_has_the_text_and_the_causes_of_another() {
        let internal = Error::internal(unreadable());
        assert_eq!((internal.kind(), internal.to_string()), (ErrorKind::Internal, unreadable().to_string()));
        assert_eq!(internal.source().map(ToString::to_string).as_deref(), Some("the disk is gone"));
        assert_eq!(Error::internal("a thread ended").to_string(), "a thread ended");
    }

    #[test]
    fn a_cause_that_the_text_has_already_is_not_repeated() {
        let repeating = Error::new(ErrorKind::Usage, "a: b").with_source("b");
        assert_eq!(format!("{:#}", Error::internal(repeating)), "a: b");
    }

    #[test]
    fn equality_is_that_of_the_line() {
        assert_eq!(unreadable(), unreadable());
        assert_ne!(unreadable(), Error::new(ErrorKind::NotFound, "cannot read a"));
    }
}
