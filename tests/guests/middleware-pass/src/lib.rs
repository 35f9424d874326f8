//! Middleware over WASI 0.3 that passes requests and responses on as they are. With the environment variable `FETCH` it
//! responds by itself instead, with the outcome of a request of its own to that authority.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({
        path: "wit",
        world: "middleware",
        with: {
            "wasi:clocks/types@0.3.2": wasip3::clocks::types,
            "wasi:http/types@0.3.2": wasip3::http::types,
            "wasi:http/handler@0.3.2": generate,
        },
    });
    use super::Pass;
    export!(Pass);
}

use std::sync::LazyLock;

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::handler;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::wit_future;

static FETCH: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("FETCH").ok());

struct Pass;

impl Guest for Pass {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        match &*FETCH {
            None => handler::handle(request).await,
            Some(authority) => fetch(authority).await,
        }
    }
}

/// Responds as `authority` does, or with the error of the request.
async fn fetch(authority: &str) -> Result<Response, ErrorCode> {
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, trailers, None);
    drop(end);
    let refused = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some("/")).map_err(refused)?;
    client::send(request).await
}
