//! Counters and sessions over HTTP. `cargo xtask run keyvalue` stores them in a file on disk; with `cargo xtask run
//! keyvalue -- --keyvalue nats://127.0.0.1:4222/app` the same component stores them in NATS.
//!
//! ```sh
//! curl -X POST http://127.0.0.1:8080/counters/visits
//! curl -X PUT -d Ada 'http://127.0.0.1:8080/sessions/42?ttl=60'
//! curl http://127.0.0.1:8080/sessions/42
//! curl 'http://127.0.0.1:8080/keys?prefix=sessions/'
//! ```

use std::sync::LazyLock;
use std::time::Duration;

use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};
use tempo_sdk_keyvalue::{Bucket, Error, SetOptions};

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    Router::new()
        .post("/counters/{name}", count)
        .get("/counters/{name}", counter)
        .put("/sessions/{id}", put_session)
        .get("/sessions/{id}", get_session)
        .delete("/sessions/{id}", delete_session)
        .get("/keys", keys)
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Increments a counter and responds with the sum. This is compare-and-swap, as for any value that depends on the old
/// one: if another request was faster, the closure is called again with the current value. (For a plain number,
/// `bucket.increment(key, 1)` does the same.)
async fn count(request: Request) -> Result<String, ErrorResponse> {
    let bucket = Bucket::open("default").await?;
    let number = bucket.try_update(key("counters", &request, "name"), |old| {
        let old = old.map_or(Ok(0), number)?;
        old.checked_add(1)
            .map(|new| new.to_string())
            .ok_or(ErrorResponse(StatusCode::CONFLICT, "the counter is full".into()))
    });
    Ok(line(&number.await?))
}

/// Responds with the value of a counter.
async fn counter(request: Request) -> Result<String, ErrorResponse> {
    let bucket = Bucket::open("default").await?;
    Ok(bucket.get(key("counters", &request, "name")).await?.map_or_else(|| "0\n".to_owned(), |value| line(&value)))
}

/// `?ttl=SECONDS` sets a TTL, `?new` refuses to replace an existing session.
async fn put_session(request: Request) -> Result<StatusCode, ErrorResponse> {
    let key = key("sessions", &request, "id");
    let mut options = SetOptions::new();
    if let Some(ttl) = request.query_value("ttl") {
        let seconds =
            ttl.parse().map_err(|_| ErrorResponse(StatusCode::BAD_REQUEST, "ttl is a number of seconds".into()))?;
        options = options.ttl(Duration::from_secs(seconds));
    }
    if request.query_value("new").is_some() {
        options = options.if_absent();
    }
    let value = request.into_body().bytes().await?;
    Bucket::open("default").await?.set_with(key, value, options).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_session(request: Request) -> Result<Response, ErrorResponse> {
    let bucket = Bucket::open("default").await?;
    Ok(match bucket.get(key("sessions", &request, "id")).await? {
        Some(value) => value.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

async fn delete_session(request: Request) -> Result<StatusCode, ErrorResponse> {
    Bucket::open("default").await?.delete(key("sessions", &request, "id")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `?prefix=TEXT`: lists the keys with this prefix, one per line.
async fn keys(request: Request) -> Result<String, ErrorResponse> {
    let bucket = Bucket::open("default").await?;
    let prefix = request.query_value("prefix").unwrap_or_default();
    let mut keys = bucket.keys(prefix);
    let mut lines = String::new();
    while let Some(key) = keys.try_next().await? {
        lines.push_str(&line(key.as_bytes()));
    }
    Ok(lines)
}

/// Returns `counters/NAME`. A key may contain any character, so the name is used unchanged.
fn key(kind: &str, request: &Request, parameter: &str) -> String {
    format!("{kind}/{}", request.parameter(parameter).unwrap_or_default())
}

fn number(value: &[u8]) -> Result<u64, ErrorResponse> {
    let number = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or(ErrorResponse(StatusCode::CONFLICT, "what is there is no counter".into()))
}

fn line(value: &[u8]) -> String {
    format!("{}\n", String::from_utf8_lossy(value))
}

/// An error response: a status and a text.
struct ErrorResponse(StatusCode, String);

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::InvalidArgument => StatusCode::BAD_REQUEST,
            Error::PreconditionFailed => StatusCode::CONFLICT,
            Error::Timeout | Error::StoreUnavailable | Error::QuotaExceeded => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

/// The body of the request could not be read.
impl From<tempo_sdk_http::Error> for ErrorResponse {
    fn from(error: tempo_sdk_http::Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
