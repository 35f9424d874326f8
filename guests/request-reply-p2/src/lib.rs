//! The greetings of `guests/request-reply` as a component of WASI 0.2, without any Tempo crate:
//! `wasmcloud:messaging@0.2.0` with `wit-bindgen`, HTTP with `wstd`. wasmCloud runs it too.

use bindings::exports::wasmcloud::messaging::handler::Guest;
use bindings::wasmcloud::messaging::consumer;
use bindings::wasmcloud::messaging::types::BrokerMessage;
use wstd::http::{Body, Error, Request, Response, StatusCode};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "handler-service" });
    use super::Greetings;
    export!(Greetings);
}

const TOPIC: &str = "greetings.hello";

/// The timeout of a request, in milliseconds.
const REQUEST_TIMEOUT_MS: u32 = 5_000;

/// Sends a request, and responds with the reply.
#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let query = request.uri().query().unwrap_or_default();
    let value = |wanted: &str| form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    let name = value("name").map_or("World".to_owned(), |(_, name)| name.into_owned());
    let timeout = value("timeout-ms").and_then(|(_, ms)| ms.parse().ok()).unwrap_or(REQUEST_TIMEOUT_MS);
    // The package has one error type, a text.
    let (status, text) = match consumer::request(TOPIC, name.as_bytes(), timeout) {
        Ok(answer) => (StatusCode::OK, String::from_utf8_lossy(&answer.body).into_owned()),
        Err(error) => (StatusCode::GATEWAY_TIMEOUT, error),
    };
    Ok(Response::builder().status(status).body(format!("{text}\n").into())?)
}

struct Greetings;

impl Guest for Greetings {
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        let Some(subject) = message.reply_to else { return Ok(()) };
        let name = String::from_utf8_lossy(&message.body);
        let body = format!("Hello, {name}!").into_bytes();
        consumer::publish(&BrokerMessage { subject, body, reply_to: None })
    }
}
