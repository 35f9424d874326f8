//! Prints each change as `set KEY=VALUE` or `delete KEY`, with the current value in the passed bucket. `/set/KEY/VALUE`
//! and `/delete/KEY` make changes, and the watcher traps on the key `trap`.

use std::sync::LazyLock;

use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};
use tempo_sdk_keyvalue::{Bucket, Change, Error};

#[tempo_sdk_keyvalue::watcher]
async fn changed(change: Change) {
    let Change { bucket, key, value, .. } = change;
    assert!(key != "trap", "as asked");
    let found = bucket.exists(key.as_str()).await;
    match value {
        Some(value) => println!("set {key}={}, found {found:?}", String::from_utf8_lossy(&value)),
        None => println!("delete {key}, found {found:?}"),
    }
}

static ROUTES: LazyLock<Router> =
    LazyLock::new(|| Router::new().get("/set/{key}/{value}", set).get("/delete/{key}", delete));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

async fn set(request: Request) -> Result<StatusCode, ErrorResponse> {
    let value = parameter(&request, "value");
    Bucket::open("default").await?.set(parameter(&request, "key"), value).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(request: Request) -> Result<StatusCode, ErrorResponse> {
    Bucket::open("default").await?.delete(parameter(&request, "key")).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parameter(request: &Request, name: &str) -> String {
    request.parameter(name).unwrap_or_default().to_owned()
}

struct ErrorResponse(Error);

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}
