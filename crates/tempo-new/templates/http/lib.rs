//! An HTTP handler over WASI 0.3.

use http::{Request, Response};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{http_from_wasi_request, http_into_wasi_response};

struct Component;

wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let request = http_from_wasi_request(request)?;
        http_into_wasi_response(answer(&request))
    }
}

/// Returns the response to a request. It uses nothing of the host, so a test can call it.
fn answer<B>(request: &Request<B>) -> Response<String> {
    let path = request.uri().path();
    Response::new(format!("Hello from {}: {path}\n", env!("CARGO_PKG_NAME")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_has_the_path() {
        let request = Request::builder().uri("/a/path").body(()).unwrap();
        assert_eq!(
            answer(&request).body(),
            concat!("Hello from ", env!("CARGO_PKG_NAME"), ": /a/path\n")
        );
    }
}
