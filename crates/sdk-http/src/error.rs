//! The one error type of the crate: what failed, in words, and what kind of failure it was.

use std::borrow::Cow;
use std::{error, fmt};

use http::StatusCode;
use wasip3::http::types::ErrorCode;

use crate::{Body, IntoResponse, Response, code};

pub(crate) type BoxError = Box<dyn error::Error + Send + Sync + 'static>;

/// What went wrong, as far as a program may want to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The incoming request is not what the handler expects. Answered with 400.
    BadRequest,
    /// A body is larger than allowed. Answered with 413 when it is the body of the incoming request.
    TooLarge,
    /// An outgoing request cannot be built: a bad URL, method or header.
    InvalidRequest,
    /// The host does not allow this outgoing request.
    Denied,
    /// The other side cannot be reached: no such name, no route, connection refused.
    Unreachable,
    /// A time limit ran out.
    Timeout,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// A body ended before its time.
    Body,
    /// A body is not what it was read as: not JSON of that form, not UTF-8.
    Decode,
    /// The other side broke the protocol.
    Protocol,
    /// Anything else.
    Other,
}

/// An error of this crate.
///
/// It is an [`IntoResponse`], so that a handler may return `Result<impl IntoResponse, Error>` and use `?`: the status follows
/// from the kind, the details go to standard error, and the client sees nothing internal.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: Cow<'static, str>,
    code: Option<&'static str>,
    source: Option<BoxError>,
    /// `context` is the text of `source`, whose own cause comes next.
    transparent: bool,
}

impl Error {
    /// An error of `kind`; `context` says what failed, for people.
    pub fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, context: context.into(), code: None, source: None, transparent: false }
    }

    /// An error that has no kind of its own here, from any other error.
    pub fn other(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let context = source.to_string().into();
        Self { kind: ErrorKind::Other, context, code: None, source: Some(source), transparent: true }
    }

    /// Our own error as it is, any other one wrapped.
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

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The case of `wasi:http/types.error-code` that the host reported, by its name in WIT, such as `HTTP-request-denied`.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The status that a handler answers with which returns this error.
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

    /// As the host wants it, for a body that breaks off.
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

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let text = match self.kind {
            ErrorKind::BadRequest => format!("{self}\n"),
            _ => {
                eprintln!("error: {}", report(&self));
                format!("{}\n", status.canonical_reason().unwrap_or("error"))
            }
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response
    }
}

/// The error and all its causes, in one line.
fn report(error: &dyn error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
