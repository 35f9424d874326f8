//! A middleware over WASI 0.3: it passes each request on to the next handler, and adds a header to the response.

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::handler;
use bindings::wasi::http::types::{ErrorCode, Request, Response};
use bindings::wit_future;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "middleware", generate_all });
    use super::Middleware;
    export!(Middleware);
}

const HEADER: &str = "x-served-through";

struct Middleware;

impl Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let response = handler::handle(request).await?;
        // The headers of a received response cannot be changed: make another one of its parts. The body streams on.
        let status = response.get_status_code();
        let headers = response.get_headers().clone();
        let (name, value) = header();
        headers
            .append(&name, &value)
            .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let (received, result) = wit_future::new(|| Ok(()));
        let (body, trailers) = Response::consume_body(response, result);
        let (response, _) = Response::new(headers, Some(body), trailers);
        drop(received);
        response
            .set_status_code(status)
            .map_err(|()| ErrorCode::InternalError(None))?;
        Ok(response)
    }
}

/// Returns the name and the value of the header.
fn header() -> (String, Vec<u8>) {
    (
        HEADER.to_owned(),
        env!("CARGO_PKG_NAME").as_bytes().to_vec(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_name_of_the_middleware() {
        assert_eq!(
            header(),
            (
                "x-served-through".to_owned(),
                env!("CARGO_PKG_NAME").as_bytes().to_vec()
            )
        );
    }
}
