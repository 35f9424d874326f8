//! Imports interfaces that no host provides, in addition to a handler: a host must report all of them before it
//! listens.

use tempo_sdk_http::{IntoResponse, Request};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });
}

use bindings::acme::billing::invoices;
use bindings::wasi::config::store;

#[tempo_sdk_http::handler]
async fn main(_request: Request) -> impl IntoResponse {
    format!("{} {:?}\n", invoices::count(), store::get("key"))
}
