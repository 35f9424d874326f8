//! Responds with configuration values: `cargo xtask run config-only -- --config GREETING=Hello`, then `curl
//! http://127.0.0.1:8080/GREETING`.
//!
//! It imports `wasi:config` only, so a runtime links no other service for it.

use tempo_sdk_http::{IntoResponse, Request, StatusCode};

/// The path, or `?key=`, is the key.
#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    let key = match request.query_value("key") {
        Some(key) => key.into_owned(),
        None => request.path().trim_start_matches('/').to_owned(),
    };
    match tempo_sdk_config::get(&key) {
        Ok(Some(value)) => (StatusCode::OK, format!("{value}\n")),
        Ok(None) => (StatusCode::NOT_FOUND, format!("{key} is not configured\n")),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
