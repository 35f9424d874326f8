//! `IntoResponse`: the return types of a handler.

use std::convert::Infallible;
use std::error;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::error::BoxError;
use crate::{Body, Error, ErrorKind};

/// A response: the type of the `http` crate, with this crate's [`Body`].
pub type Response<B = Body> = http::Response<B>;

/// Converts a value to a response.
///
/// Implemented for text, bytes, a status, [`Json`](crate::Json), a [`Response`], a `Result` of two of these, and tuples
/// that put a status and headers before any of them: `(StatusCode, [("name", "value")], body)`.
///
/// ```
/// use tempo_sdk_http::{IntoResponse, StatusCode};
///
/// let response = (StatusCode::CREATED, [("location", "/users/7")], "made\n").into_response();
/// assert_eq!(response.status(), 201);
/// assert_eq!(response.headers()["location"], "/users/7");
/// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be turned into an HTTP response",
    label = "not a response",
    note = "return a string, bytes, `StatusCode`, `Json(value)`, `Response`, or a `Result` of two of these"
)]
pub trait IntoResponse {
    /// Converts to the response.
    fn into_response(self) -> Response;
}

/// Creates a 200 with a body and its media type.
fn typed(kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn text(body: impl Into<Body>) -> Response {
    typed("text/plain; charset=utf-8", body.into())
}

fn binary(body: impl Into<Body>) -> Response {
    typed("application/octet-stream", body.into())
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        text(self)
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        binary(self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        binary(self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        binary(self)
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = self;
        response
    }
}

impl IntoResponse for Infallible {
    fn into_response(self) -> Response {
        match self {}
    }
}

impl<B> IntoResponse for Response<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn into_response(self) -> Response {
        self.map(Body::new)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        *response.status_mut() = self.0;
        response
    }
}

impl<T: IntoResponse> IntoResponse for (HeaderMap, T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        response.headers_mut().extend(self.0);
        response
    }
}

impl<T: IntoResponse, const N: usize> IntoResponse for ([(&'static str, &str); N], T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        for (name, value) in self.0 {
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => {
                    response.headers_mut().insert(name, value);
                }
                _ => {
                    eprintln!("error: the handler set a header that is not one: {name:?}");
                    return StatusCode::INTERNAL_SERVER_ERROR.into_response();
                }
            }
        }
        response
    }
}

impl<T: IntoResponse, const N: usize> IntoResponse for (StatusCode, [(&'static str, &str); N], T) {
    fn into_response(self) -> Response {
        let (status, headers, body) = self;
        let mut response = (headers, body).into_response();
        // An invalid header has already made it a 500.
        if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
            *response.status_mut() = status;
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let text = match self.kind() {
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

/// Formats the error and all its causes in one line.
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
