//! Is composed with `basket`: `/lines?tea=2&coffee=1` shows its stream, `/pieces?..` moves resources to it, and `/attempt/WHAT?TARGET`
//! lets it use something.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "client" });
}

use bindings::acme::basket::attempts::attempt;
use bindings::acme::basket::basket::{self, Basket};
use tempo_sdk_http::{IntoResponse, Request, StatusCode};

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    let query = request.query().unwrap_or_default();
    if let Some(what) = request.path().strip_prefix("/attempt/") {
        return match attempt(what.to_owned(), query.to_owned()).await {
            Ok(result) => (StatusCode::OK, result),
            Err(error) => (StatusCode::FORBIDDEN, error),
        };
    }
    let (first, second) = (Basket::new(), Basket::new());
    for (name, pieces) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let pieces = pieces.parse().unwrap_or(0);
        first.add(name, pieces);
        second.add(name, pieces);
    }
    let text = match request.path() {
        "/pieces" => basket::pieces(vec![first, second]).to_string(),
        _ => String::from_utf8_lossy(&first.lines().await.collect().await).into_owned(),
    };
    (StatusCode::OK, text)
}
