//! The error type of the crate: a kind for programs, and a message for people.

use std::borrow::Cow;
use std::{error, fmt};

use http::StatusCode;
use wasip3::http::types::ErrorCode;

use crate::code;

pub(crate) type BoxError = Box<dyn error::Error + Send + Sync + 'static>;

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The incoming request is not the one that the handler expects. Its response is 400.
    BadRequest,
    /// A body exceeds a size limit. The response is 413 if it is the body of the incoming request.
    TooLarge,
    /// An outgoing request is invalid: its URL, method or a header.
    InvalidRequest,
    /// The host does not allow this outgoing request.
    Denied,
    /// The server is unreachable: unknown name, no route, connection refused.
    Unreachable,
    /// A time limit expired.
    Timeout,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// A body was aborted.
    Body,
    /// A body cannot be decoded: it is not the expected JSON, or not UTF-8.
    Decode,
    /// The other side violated the protocol.
    Protocol,
    /// Any other error.
    Other,
}

/// An error of this crate.
///
/// `Error` is an [`IntoResponse`](crate::IntoResponse), so a handler may return `Result<impl IntoResponse, Error>` and use `?`:
/// the kind determines the status, the details go to standard error, and the client sees no internals.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: Cow<'static, str>,
    code: Option<&'static str>,
    source: Option<BoxError>,
    /// True if `context` is the text of `source`; the chain of causes then continues with the cause of `source`.
    transparent: bool,
}

impl Error {
    /// Creates an error of `kind`. `context` is the message for people.
    pub fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, context: context.into(), code: None, source: None, transparent: false }
    }

    /// Creates an error of the kind [`Other`](ErrorKind::Other) from any other error.
    pub fn other(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let context = source.to_string().into();
        Self { kind: ErrorKind::Other, context, code: None, source: Some(source), transparent: true }
    }

    /// Returns an `Error` unchanged, and wraps any other error.
    pub(crate) fn from_boxed(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::other(error),
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn from_code(context: &'static str, error: &ErrorCode) -> Self {
        let (name, kind) = code::name_and_kind(error);
        let context = match error {
            ErrorCode::InternalError(Some(text)) => format!("{context}: {name}: {text}").into(),
            _ => format!("{context}: {name}").into(),
        };
        Self { kind, context, code: Some(name), source: None, transparent: false }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the WIT name of the case of `wasi:http/types.error-code` that the host reported, such as
    /// `HTTP-request-denied`.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// Returns the status of the response if a handler returns this error.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Denied | ErrorKind::Unreachable | ErrorKind::Tls | ErrorKind::Protocol => {
                StatusCode::BAD_GATEWAY
            }
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Converts to the host's error, for aborting a body.
    pub(crate) fn to_code(&self) -> ErrorCode {
        ErrorCode::InternalError(Some(self.to_string()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.source.as_deref()?;
        if self.transparent { source.source() } else { Some(source) }
    }
}
