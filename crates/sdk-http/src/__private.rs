//! Support for the code that `#[handler]` generates. Not public API: it may change in any release.

pub use wasip3;
pub use wasip3::exports::http::handler::Guest;
pub use wasip3::http::service::export;
pub use wasip3::http::types::{ErrorCode, Request, Response};

use crate::{FromRequest, IntoResponse, outgoing, task};
use std::borrow::Cow;
use tempo_sdk_trace::RootSpan;
use wasip3::http::types::Method;

/// Creates the root span of this call, named after the method. Does nothing without telemetry.
pub fn root(request: &Request) -> RootSpan {
    RootSpan::new(|| {
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
            // Clients choose extension methods freely: as span names they would be of unbounded cardinality.
            Method::Other(_) => "HTTP",
        })
    })
}

/// Builds the handler's argument from the host's request.
pub fn request<R: FromRequest>(request: Request) -> R {
    R::from_request(crate::Request::from_host(request))
}

/// Runs the handler's call.
pub fn run<F: Future>(root: RootSpan, call: F) -> impl Future<Output = F::Output> {
    task::root(root.run(call))
}

/// Converts the handler's return value to the host's response.
///
/// # Errors
/// Returns an error if the host rejects the headers.
pub async fn answer(response: impl IntoResponse) -> Result<Response, ErrorCode> {
    outgoing::response(response.into_response()).await
}
