//! Calls the interface of another component of the app, over WASI 0.2: the path is the name of an item.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "client" });
}

use bindings::acme::pricing::quote;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Checkout;

wasip2::http::proxy::export!(Checkout);

impl Guest for Checkout {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let text = format!("{:?}\n", quote::price(path.trim_start_matches('/')));
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body();
        ResponseOutparam::set(outparam, Ok(response));
        if let Ok(body) = body {
            if let Ok(stream) = body.write() {
                // Fails only if the client has disconnected.
                let _ = stream.blocking_write_and_flush(text.as_bytes());
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
