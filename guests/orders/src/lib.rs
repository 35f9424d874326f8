//! Orders: received over HTTP, published as messages, and stored by the message handler. `cargo xtask run orders --
//! --subscribe 'orders.>'` stores messages and orders on disk; with `--messaging nats://127.0.0.1:4222/ORDERS` and
//! `--keyvalue nats://127.0.0.1:4222/orders` the same component runs on many machines.
//!
//! ```sh
//! curl -d '{"id": "1", "customer": "Ada", "item": "tea", "quantity": 2}' http://127.0.0.1:8080/orders
//! curl http://127.0.0.1:8080/orders/1
//! ```

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use tempo_sdk_http::{IntoResponse, Json, Request, Response, Router, StatusCode};
use tempo_sdk_keyvalue::{Bucket, SetOptions};
use tempo_sdk_messaging::{HandlerError, Message};

/// An order, as clients send it and as it is stored.
#[derive(Serialize, Deserialize)]
struct Order {
    /// Chosen by the client: an order that is sent twice is one order.
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
    /// The number of times its message was handled: 1, and 1 more for each redelivery.
    handled: i64,
}

static ROUTES: LazyLock<Router> =
    LazyLock::new(|| Router::new().post("/orders", create_order).get("/orders/{id}", get_order));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Publishes an order. Responds once the broker has accepted the message, which will be handled even if this host
/// fails.
async fn create_order(request: Request) -> Result<(StatusCode, &'static str), ErrorResponse> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let order: Order = request.json().await?;
    // The key keeps orders of one customer in order, and the ID deduplicates an order that is sent twice in a row.
    let mut message = Message::new("orders.created").key(order.customer.as_str()).id(order.id.as_str()).json(&order)?;
    if let Some(traceparent) = traceparent {
        message = message.header("traceparent", traceparent);
    }
    message.publish().await?;
    Ok((StatusCode::ACCEPTED, "accepted\n"))
}

/// Stores an order. Delivery is at least once, so the operation is idempotent: it writes the order under its own ID,
/// and only if there is no entry.
#[tempo_sdk_messaging::handler]
async fn keep(message: Message) -> Result<(), HandlerError> {
    // An invalid order stays invalid: reject it to the dead letters.
    let order: Order = message.json().map_err(HandlerError::reject)?;
    if order.quantity == 0 {
        return Err(HandlerError::reject("an order of nothing"));
    }
    // Later errors may be temporary: `?` requests another delivery.
    let bucket = Bucket::open("default").await?;
    let new = bucket.set_json_with(order_key(&order.id), &order, SetOptions::new().if_absent()).await;
    match new {
        Ok(()) | Err(tempo_sdk_keyvalue::Error::PreconditionFailed) => {}
        Err(error) => return Err(error.into()),
    }
    bucket.increment(handled_key(&order.id), 1).await?;
    Ok(())
}

/// Responds with a handled order; 404 until it is handled.
async fn get_order(request: Request) -> Result<Response, ErrorResponse> {
    let id = request.parameter("id").unwrap_or_default();
    let bucket = Bucket::open("default").await?;
    let Some(order) = bucket.get_json(order_key(id)).await? else {
        return Ok((StatusCode::NOT_FOUND, "no such order yet\n").into_response());
    };
    let handled = bucket.increment(handled_key(id), 0).await?;
    Ok(Json(HandledOrder { order, handled }).into_response())
}

fn order_key(id: &str) -> String {
    format!("orders/{id}")
}

fn handled_key(id: &str) -> String {
    format!("handled/{id}")
}

/// An error response: a status and a text.
struct ErrorResponse(StatusCode, String);

/// The body of the request is not an order.
impl From<tempo_sdk_http::Error> for ErrorResponse {
    fn from(error: tempo_sdk_http::Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

impl From<tempo_sdk_messaging::Error> for ErrorResponse {
    fn from(error: tempo_sdk_messaging::Error) -> Self {
        use tempo_sdk_messaging::ErrorKind;
        let status = match error.kind() {
            ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::QuotaExceeded => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<tempo_sdk_keyvalue::Error> for ErrorResponse {
    fn from(error: tempo_sdk_keyvalue::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
