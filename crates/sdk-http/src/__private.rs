//! What the code that `#[handler]` writes refers to. Not for use by hand: it may change in any release.

pub use wasip3;
pub use wasip3::exports::http::handler::Guest;
pub use wasip3::http::service::export;
pub use wasip3::http::types::{ErrorCode, Request, Response};

use crate::{FromRequest, IntoResponse, outgoing};
use std::borrow::Cow;
use tempo_sdk_trace::Root;
use wasip3::http::types::Method;

/// The span of this call, named after the method; nothing in a component without telemetry.
pub fn root(request: &Request) -> Root {
    Root::new(|| {
        Cow::Borrowed(match request.get_method() {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            // Methods that anybody may invent would be as many names.
            Method::Other(_) => "HTTP",
        })
    })
}

/// The argument of the handler, from the host's request.
pub fn request<R: FromRequest>(request: Request) -> R {
    R::from_request(crate::Request::from_host(request))
}

/// The host's response, from what the handler returned.
///
/// # Errors
/// When the host refuses the headers.
pub async fn answer(response: impl IntoResponse) -> Result<Response, ErrorCode> {
    outgoing::response(response.into_response()).await
}
