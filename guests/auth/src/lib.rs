//! Middleware over WASI 0.3: passes a request on to the next handler if it has the token of the environment variable `TOKEN`,
//! and adds its name (`NAME`) to the `via` field of the response. Without `TOKEN` it passes all requests on.
//!
//! The import `wasi:http/handler` is the next component: `middleware = ["auth"]` of another component in `tempo.toml`.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "middleware", generate_all });
    use super::Auth;
    export!(Auth);
}

use std::env;

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::handler;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::wit_future;

struct Auth;

impl Guest for Auth {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        if is_allowed(&request.get_headers()) {
            return handler::handle(request).await.and_then(with_via);
        }
        let (end, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), None, trailers);
        drop(end);
        response.set_status_code(401).map_err(|()| ErrorCode::InternalError(None))?;
        with_via(response)
    }
}

fn is_allowed(headers: &Fields) -> bool {
    let Ok(token) = env::var("TOKEN") else { return true };
    headers.get("authorization").iter().any(|value| *value == format!("Bearer {token}").into_bytes())
}

/// Returns the response with a field more. The body streams on.
fn with_via(response: Response) -> Result<Response, ErrorCode> {
    let status = response.get_status_code();
    // The fields of a received response cannot be changed.
    let headers = response.get_headers().clone();
    let name = env::var("NAME").unwrap_or_else(|_| "auth".to_owned());
    let failed = |error: bindings::wasi::http::types::HeaderError| ErrorCode::InternalError(Some(error.to_string()));
    headers.append("via", format!("1.1 {name}").as_bytes()).map_err(failed)?;
    let (received, result) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, result);
    drop(received);
    let (response, _) = Response::new(headers, Some(body), trailers);
    response.set_status_code(status).map_err(|()| ErrorCode::InternalError(None))?;
    Ok(response)
}
