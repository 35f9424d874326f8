//! An axum application as a component, with axum's own router, extractors and responses. Only `main` is specific to
//! Tempo.
//!
//! Serve it with `cargo xtask run axum -- --allow-http https://example.com`, and try
//! `curl 'http://127.0.0.1:8080/greet/Ada?lang=de'`.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tempo_sdk_http::Request;

/// Built once per instance; an instance serves many requests.
static APP: LazyLock<Router> = LazyLock::new(|| {
    Router::new()
        .route("/", get(async || "Hello from axum!\n"))
        .route("/users", post(create_user))
        .route("/greet/{name}", get(greet))
        .route("/proxy", get(proxy))
        .route("/stream", get(stream))
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl tempo_sdk_http::IntoResponse {
    tempo_sdk_http::axum::serve(&APP, request).await
}

/// The request body of `POST /users`.
#[derive(Deserialize)]
struct NewUser {
    name: String,
}

/// The response body of `POST /users`.
#[derive(Serialize)]
struct User {
    id: u64,
    name: String,
}

/// Decodes and encodes JSON: `curl -d '{"name":"Ada"}' -H 'content-type: application/json'
/// http://127.0.0.1:8080/users`.
async fn create_user(Json(user): Json<NewUser>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(User { id: 1, name: user.name }))
}

/// The query of `/greet/{name}`.
#[derive(Deserialize)]
struct Greeting {
    lang: Option<String>,
}

/// Extracts a path parameter and a query value.
async fn greet(Path(name): Path<String>, Query(greeting): Query<Greeting>) -> String {
    let hello = match greeting.lang.as_deref() {
        Some("de") => "Hallo",
        Some("fr") => "Bonjour",
        _ => "Hello",
    };
    format!("{hello}, {name}!\n")
}

/// The query of `/proxy`.
#[derive(Deserialize)]
struct Target {
    url: String,
}

/// Sends an outgoing request and streams its response. The host decides which addresses are allowed.
async fn proxy(Query(target): Query<Target>) -> Response {
    match tempo_sdk_http::get(target.url).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            (parts.status, Body::new(body)).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// Streams a response: one line each 100 ms.
async fn stream() -> impl IntoResponse {
    let (mut sender, body) = tempo_sdk_http::Body::channel();
    tempo_sdk_http::spawn(async move {
        for number in 1..=5 {
            if sender.send(format!("line {number}\n")).await.is_err() {
                return; // the client disconnected
            }
            tempo_sdk_http::sleep(Duration::from_millis(100)).await;
        }
    });
    ([(header::CONTENT_TYPE, "text/plain")], Body::new(body))
}
