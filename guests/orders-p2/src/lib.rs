//! The orders of `guests/orders` as a component of WASI 0.2, without any Tempo crate: `wasi:messaging@0.2.0-draft` and
//! `wasi:keyvalue@0.2.0-draft2` with `wit-bindgen`, HTTP with `wstd`.
//!
//! A handler of the draft returns success or failure and cannot reject a message, so this one logs and acknowledges an
//! invalid order. The draft's messages have no key.

use bindings::exports::wasi::messaging::incoming_handler::Guest;
use bindings::wasi::messaging::producer;
use bindings::wasi::messaging::types::{Client, Error as MessagingError, Message};
use keyvalue::wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
use keyvalue::wasi::keyvalue::store::{self, open};
use serde::{Deserialize, Serialize};
use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit/messaging", world: "messaging-core" });
    use super::Orders;
    export!(Orders);
}

mod keyvalue {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit/keyvalue", world: "imports" });
}

/// An order, as clients send it and as it is stored.
#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
    customer: String,
    item: String,
    quantity: u32,
}

/// A handled order.
#[derive(Serialize)]
struct HandledOrder {
    #[serde(flatten)]
    order: Order,
    handled: i64,
}

#[wstd::http_server]
async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let body = request.body_mut().contents().await?.to_vec();
    let (status, body) = match answer(&request, &body) {
        Ok((status, body)) => (status, body),
        Err(ErrorResponse(status, message)) => (status, format!("{message}\n").into_bytes()),
    };
    Ok(Response::builder().status(status).body(body.into())?)
}

type HandlerResult = Result<(StatusCode, Vec<u8>), ErrorResponse>;

fn answer(request: &Request<Body>, body: &[u8]) -> HandlerResult {
    let path = request.uri().path();
    match (request.method(), path.strip_prefix("/orders/")) {
        (&Method::POST, None) if path == "/orders" => {
            let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
            create_order(body, traceparent)
        }
        (&Method::GET, Some(id)) => get_order(id),
        _ => Ok((StatusCode::NOT_FOUND, Vec::new())),
    }
}

fn create_order(body: &[u8], traceparent: Option<&str>) -> HandlerResult {
    let order: Order = serde_json::from_slice(body).map_err(bad_request)?;
    let message = Message::new(&serde_json::to_vec(&order).map_err(bad_request)?);
    message.set_content_type("application/json");
    message.add_metadata("customer", &order.customer);
    if let Some(traceparent) = traceparent {
        message.add_metadata("traceparent", traceparent);
    }
    producer::send(&Client::connect("default")?, "orders.created", message)?;
    Ok((StatusCode::ACCEPTED, b"accepted\n".to_vec()))
}

fn get_order(id: &str) -> HandlerResult {
    let bucket = open("default")?;
    let Some(order) = bucket.get(&format!("orders/{id}"))? else {
        return Ok((StatusCode::NOT_FOUND, b"no such order yet\n".to_vec()));
    };
    let order = serde_json::from_slice(&order).map_err(bad_request)?;
    let handled = HandledOrder { order, handled: increment(&bucket, &format!("handled/{id}"), 0)? };
    Ok((StatusCode::OK, serde_json::to_vec(&handled).map_err(bad_request)?))
}

struct Orders;

impl Guest for Orders {
    /// Stores an order. Delivery is at least once, so the operation is idempotent.
    fn handle(message: Message) -> Result<(), MessagingError> {
        let data = message.data();
        let order: Order = match serde_json::from_slice(&data) {
            Ok(order) => order,
            Err(error) => {
                eprintln!("no order, and none if it came again: {error}");
                return Ok(());
            }
        };
        let again = |error: store::Error| MessagingError::Other(error.to_string());
        let bucket = open("default").map_err(again)?;
        let kept = Cas::new(&bucket, &format!("orders/{}", order.id)).map_err(again)?;
        if kept.current().map_err(again)?.is_none() {
            match swap(kept, &data) {
                // Another delivery was faster, with the same order.
                Ok(()) | Err(CasError::CasFailed(_)) => {}
                Err(CasError::StoreError(error)) => return Err(again(error)),
            }
        }
        increment(&bucket, &format!("handled/{}", order.id), 1).map_err(again)?;
        Ok(())
    }
}

/// An error response: a status and a text.
struct ErrorResponse(StatusCode, String);

#[expect(clippy::needless_pass_by_value, reason = "it is called by map_err")]
fn bad_request(error: serde_json::Error) -> ErrorResponse {
    ErrorResponse(StatusCode::BAD_REQUEST, format!("not the JSON that is expected here: {error}"))
}

impl From<store::Error> for ErrorResponse {
    fn from(error: store::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<MessagingError> for ErrorResponse {
    fn from(error: MessagingError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
