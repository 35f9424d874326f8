//! Calls the interface of another component of the app: `/price/tea` by a sync function, `/quote?tea=2&coffee=1` by an async
//! one. `guests/shop` shows the app.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "client" });
}

use bindings::acme::pricing::quote::{self, Error, Item};
use tempo_sdk_http::{IntoResponse, Request, StatusCode};

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    let text = match request.path().strip_prefix("/price/") {
        Some(name) => quote::price(name).map(|cents| format!("{cents}\n")),
        None => match items(request.query().unwrap_or_default()) {
            Some(items) => quote::quote(items).await.map(|lines| {
                let line = |line: &quote::Line| format!("{} {}: {}\n", line.item.quantity, line.item.name, line.cents);
                lines.iter().map(line).collect()
            }),
            None => return (StatusCode::BAD_REQUEST, "expected NAME=QUANTITY\n".to_owned()),
        },
    };
    match text {
        Ok(text) => (StatusCode::OK, text),
        Err(Error::UnknownItem(name)) => (StatusCode::NOT_FOUND, format!("there is no {name}\n")),
        Err(Error::TooMany(max)) => (StatusCode::CONFLICT, format!("at most {max} pieces\n")),
    }
}

/// Parses `NAME=QUANTITY&..`.
fn items(query: &str) -> Option<Vec<Item>> {
    let item = |pair: &str| {
        let (name, quantity) = pair.split_once('=')?;
        Some(Item { name: name.to_owned(), quantity: quantity.parse().ok()? })
    };
    query.split('&').map(item).collect()
}
