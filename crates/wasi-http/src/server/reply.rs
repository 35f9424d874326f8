//! Responses that the server sends in place of a component's: a status, one line of text, and nothing internal.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};
use tempo_core::{CallError, Instances};
use tempo_telemetry::{CallContext, within};

use super::guest::Handler;

/// Why the server rejects or fails a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is malformed.
    BadRequest,
    /// No route leads to a component.
    NotFound,
    /// The server does not implement the method.
    NotImplemented,
    /// The request has more headers or trailers than allowed.
    TooManyHeaders,
    /// The request body exceeds the limit.
    BodyTooLarge,
    /// No capacity became free in time.
    Overloaded,
    /// The component trapped, panicked, or answered with an error.
    Failed,
    /// The component exceeded its deadline.
    TimedOut,
}

impl Refusal {
    /// Returns the value of `error.type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::NotImplemented => "not_implemented",
            Self::TooManyHeaders => "too_many_headers",
            Self::BodyTooLarge => "body_too_large",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
            Self::TimedOut => "timeout",
        }
    }

    /// Returns the response for the refusal, and its text.
    pub(crate) fn response(self) -> Response<&'static str> {
        let (status, text) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "the request is not valid HTTP\n"),
            Self::NotFound => (StatusCode::NOT_FOUND, "no component serves this\n"),
            Self::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "the method is not implemented\n"),
            Self::TooManyHeaders => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many headers\n"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large\n"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded; try again soon\n"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "the component failed\n"),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "the component took too long\n"),
        };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self == Self::Overloaded {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Logs the error of a call, in its context, and returns the refusal for the client.
pub(crate) fn refuse(instances: &Instances<Handler>, context: Option<&Arc<CallContext>>, error: &CallError) -> Refusal {
    within(context, || error.log(instances.workload(), "a request"));
    error.into()
}

impl From<&CallError> for Refusal {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::TimedOut(_) => Self::TimedOut,
            CallError::Overloaded(_) => Self::Overloaded,
            _ => Self::Failed,
        }
    }
}
