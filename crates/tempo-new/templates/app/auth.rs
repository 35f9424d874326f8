//! A middleware: it passes requests with the token of the environment on to the next handler, and refuses others with 401.

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::handler;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::wit_future;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "middleware", generate_all });
    use super::Auth;
    export!(Auth);
}

struct Auth;

impl Guest for Auth {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let token = std::env::var("TOKEN").unwrap_or_default();
        if is_valid(&request.get_headers().get("authorization"), &token) {
            return handler::handle(request).await;
        }
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), None, trailers);
        response
            .set_status_code(401)
            .map_err(|()| ErrorCode::InternalError(None))?;
        Ok(response)
    }
}

/// Returns true if the only value of the header is the token. Without a token in the environment, none is valid.
fn is_valid(values: &[Vec<u8>], token: &str) -> bool {
    match values {
        [value] => !token.is_empty() && value.strip_prefix(b"Bearer ") == Some(token.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_valid() {
        let value = || b"Bearer token".to_vec();
        assert!(is_valid(&[value()], "token"));
        assert!(!is_valid(&[value()], "other"));
        assert!(!is_valid(&[value(), value()], "token"));
        assert!(!is_valid(&[b"Bearer ".to_vec()], ""));
        assert!(!is_valid(&[], "token"));
    }
}
