//! Calls other components in one request, many times: `/?how=H&calls=N[&url=U]` responds once the calls have returned.
//!
//! `how` is `own` (a function of this component), `sync` and `async` (functions of `acme:pricing/quote`), or `fetch` (a GET of
//! the URL). `cargo xtask bench links` divides the time by the calls.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "client" });
}

use std::hint::black_box;

use bindings::acme::pricing::quote::{self, Error, Item};
use tempo_sdk_http::{IntoResponse, Request, StatusCode};

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    let calls = request.query_value("calls").and_then(|calls| calls.parse().ok()).unwrap_or(0);
    let how = request.query_value("how").unwrap_or_default();
    let url = request.query_value("url").unwrap_or_default();
    for _ in 0..calls {
        let succeeded = match &*how {
            "own" => price(black_box("tea".to_owned())).is_ok(),
            "sync" => quote::price("tea").is_ok(),
            "async" => quote::quote(vec![Item { name: "tea".to_owned(), quantity: 1 }]).await.is_ok(),
            "fetch" => fetch(&url).await,
            _ => false,
        };
        if !succeeded {
            return (StatusCode::BAD_GATEWAY, "a call failed\n");
        }
    }
    (StatusCode::OK, "Hello from Tempo!\n")
}

/// The function of the same name in `guests/pricing`.
#[inline(never)]
fn price(name: String) -> Result<u64, Error> {
    match name.as_str() {
        "tea" => Ok(350),
        "coffee" => Ok(420),
        _ => Err(Error::UnknownItem(name)),
    }
}

async fn fetch(url: &str) -> bool {
    let Ok(response) = tempo_sdk_http::get(url).await else { return false };
    response.status() == StatusCode::OK && response.into_body().bytes().await.is_ok()
}
