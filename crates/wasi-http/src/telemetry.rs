//! Low-cardinality attribute values for HTTP spans and metrics, by the OpenTelemetry semantic conventions.

use http::{HeaderMap, Method, StatusCode};
use tempo_telemetry::{FIELDS, RemoteContext};

/// Returns `method` if it is a standard one, else `_OTHER`: clients must not create attribute values.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

macro_rules! statuses {
    ($($code:literal)*) => {
        /// Returns `status` as text if it is a registered one, else `_OTHER`: guests must not create attribute values.
        pub(crate) fn known_status(status: StatusCode) -> &'static str {
            match status.as_u16() {
                $($code => stringify!($code),)*
                _ => "_OTHER",
            }
        }
    };
}

statuses! {
    100 101 102 103 200 201 202 203 204 205 206 207 208 226 300 301 302 303 304 305 307 308
    400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 421 422 423 424 425 426 428 429 431 451
    500 501 502 503 504 505 506 507 508 510 511
}

/// Returns the value of the header `name` if it occurs exactly once.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Extracts the remote span context and baggage from `headers`.
pub(crate) fn remote(headers: &HeaderMap) -> RemoteContext {
    // Most requests have none of them: one pass over a few headers costs less than three lookups.
    if headers.keys().any(|name| FIELDS.contains(&name.as_str())) {
        RemoteContext::extract(|name| header(headers, name))
    } else {
        RemoteContext::default()
    }
}
