//! Operations for tests: publish, request, and read the received messages.

use std::borrow::Cow;
use std::time::Duration;

use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};
use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{Client, Draft, Error, Message};

use crate::handle::ACT;
use crate::seen;

/// The number of messages in one call.
const BATCH: u64 = 500;

pub(crate) fn routes(router: Router) -> Router {
    router
        .post("/publish", publish)
        .post("/publish-many", publish_many)
        .post("/request", request)
        .get("/seen", all_seen)
        .get("/done", done)
}

/// `?topic=` with optional `key`, `act`, `id` and `client`, the request's `traceparent` and every header that begins
/// with `x-`. The body is the payload.
async fn publish(request: Request) -> Result<&'static str, Failed> {
    let (client, message) = (client(&request), draft(&request));
    let payload = request.into_body().bytes().await.map_err(|error| Failed(error.to_string()))?;
    client.publish_message(message.bytes(payload)).await?;
    Ok("accepted\n")
}

/// Publishes `?count=` messages with the numbers from 0 as payloads; `?keys=` distributes them over that many keys.
async fn publish_many(request: Request) -> Result<String, Failed> {
    let (client, message) = (client(&request), draft(&request));
    let count: u64 = text(&request, "count").parse().unwrap_or(1);
    let keys: Option<u64> = text(&request, "keys").parse().ok();
    for first in (0..count).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let batch = (first..count.min(first.saturating_add(BATCH))).map(|number| {
            let message = message.clone().bytes(number.to_string());
            match keys.and_then(|keys| number.checked_rem(keys)) {
                Some(key) => message.key(format!("key{key}")),
                None => message,
            }
        });
        client.publish_many(batch).await.into_iter().collect::<Result<(), Error>>()?;
    }
    Ok(format!("{count}\n"))
}

/// Sends a request with a timeout of `?timeout-ms=`, and returns the reply.
async fn request(request: Request) -> Result<Vec<u8>, Failed> {
    let (client, message) = (client(&request), draft(&request));
    let timeout = text(&request, "timeout-ms").parse().map_or(Duration::from_secs(60), Duration::from_millis);
    let payload = request.into_body().bytes().await.map_err(|error| Failed(error.to_string()))?;
    Ok(client.request_message(message.bytes(payload), timeout).await?.into_bytes())
}

/// Returns the deliveries on `?topic=`, one JSON object per line, in the order of the handlers.
async fn all_seen(request: Request) -> Result<String, Failed> {
    let bucket = Bucket::open("default").await?;
    let mut lines = String::new();
    for seen in seen::on(&bucket, &text(&request, "topic")).await? {
        lines.push_str(&serde_json::to_string(&seen).map_err(|error| Failed(error.to_string()))?);
        lines.push('\n');
    }
    Ok(lines)
}

/// Returns the number of completed handlers on `?topic=`.
async fn done(request: Request) -> Result<String, Failed> {
    let bucket = Bucket::open("default").await?;
    Ok(format!("{}\n", seen::count_done(&bucket, &text(&request, "topic")).await?))
}

fn client(request: &Request) -> Client {
    request.query_value("client").map_or_else(Client::default, |name| Client::named(name.into_owned()))
}

fn draft(request: &Request) -> Draft {
    let mut message = Message::new(text(request, "topic"));
    for (name, value) in request.headers() {
        if let (true, Ok(value)) = (name.as_str().starts_with("x-") || name == "traceparent", value.to_str()) {
            message = message.header(name.as_str(), value);
        }
    }
    for (name, set) in [("key", Draft::key as fn(Draft, String) -> Draft), ("id", Draft::id)] {
        if let Some(value) = request.query_value(name) {
            message = set(message, value.into_owned());
        }
    }
    // The second one is for the guest of the workers.
    for name in [ACT, "sleep-ms"] {
        if let Some(value) = request.query_value(name) {
            message = message.header(name, value);
        }
    }
    message
}

fn text<'a>(request: &'a Request, name: &str) -> Cow<'a, str> {
    request.query_value(name).unwrap_or_default()
}

/// A 500 with the error.
struct Failed(String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(format!("{:?}: {error}", error.kind()))
    }
}

impl From<tempo_sdk_keyvalue::Error> for Failed {
    fn from(error: tempo_sdk_keyvalue::Error) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", self.0)).into_response()
    }
}
