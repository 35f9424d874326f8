//! Orders: they come by HTTP, go as messages, and whoever handles the messages keeps them. `cargo xtask run orders --
//! --subscribe 'orders.>'` keeps messages and orders on disk; `--messaging nats://127.0.0.1:4222/ORDERS` and
//! `--keyvalue nats://127.0.0.1:4222/orders` let the same component work on many machines.
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

/// An order, as clients send it and as it is kept.
#[derive(Serialize, Deserialize)]
struct Order {
    /// Chosen by the client: however often it sends an order, it is one order.
    id: String,
    customer: String,
    item: String,
    quantity: u32,
}

/// What is known of an order that was handled.
#[derive(Serialize)]
struct Handled {
    #[serde(flatten)]
    order: Order,
    /// How often its message was handled: once, and once more after each time that a host lost sight of it.
    handled: i64,
}

static ROUTES: LazyLock<Router> =
    LazyLock::new(|| Router::new().post("/orders", create_order).get("/orders/{id}", get_order));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Takes an order: when this answers, its message was accepted, and will be handled whatever happens to this host.
async fn create_order(request: Request) -> Result<(StatusCode, &'static str), Failure> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let order: Order = request.json().await?;
    // Orders of one customer belong together, and one that is sent twice in a row makes one message.
    let mut message = Message::new("orders.created").key(order.customer.as_str()).id(order.id.as_str()).json(&order)?;
    if let Some(traceparent) = traceparent {
        message = message.header("traceparent", traceparent);
    }
    message.publish().await?;
    Ok((StatusCode::ACCEPTED, "accepted\n"))
}

/// Keeps an order. A message may come again, so a second time must change nothing: the order is written under its own id, and
/// only if nothing is there.
#[tempo_sdk_messaging::handler]
async fn keep(message: Message) -> Result<(), HandlerError> {
    // What is no order now will be none later: it goes to the dead letters.
    let order: Order = message.json().map_err(HandlerError::reject)?;
    if order.quantity == 0 {
        return Err(HandlerError::reject("an order of nothing"));
    }
    // What fails from here on may succeed later: `?` has the message delivered again.
    let bucket = Bucket::open("default").await?;
    let new = bucket.set_json_with(order_key(&order.id), &order, SetOptions::new().if_absent()).await;
    match new {
        Ok(()) | Err(tempo_sdk_keyvalue::Error::PreconditionFailed) => {}
        Err(error) => return Err(error.into()),
    }
    bucket.increment(handled_key(&order.id), 1).await?;
    Ok(())
}

/// Answers an order that was handled; 404 until it was.
async fn get_order(request: Request) -> Result<Response, Failure> {
    let id = request.parameter("id").unwrap_or_default();
    let bucket = Bucket::open("default").await?;
    let Some(order) = bucket.get_json(order_key(id)).await? else {
        return Ok((StatusCode::NOT_FOUND, "no such order yet\n").into_response());
    };
    let handled = bucket.increment(handled_key(id), 0).await?;
    Ok(Json(Handled { order, handled }).into_response())
}

fn order_key(id: &str) -> String {
    format!("orders/{id}")
}

fn handled_key(id: &str) -> String {
    format!("handled/{id}")
}

/// What a client is told when something fails.
struct Failure(StatusCode, String);

/// The body of the request is no order.
impl From<tempo_sdk_http::Error> for Failure {
    fn from(error: tempo_sdk_http::Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

impl From<tempo_sdk_messaging::Error> for Failure {
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

impl From<tempo_sdk_keyvalue::Error> for Failure {
    fn from(error: tempo_sdk_keyvalue::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
