//! Serves an `axum::Router`.
//!
//! Keep the router in a `LazyLock`, so that each instance builds it once:
//!
//! ```
//! # mod guest {
//! use axum::{Router, routing::get};
//! use std::sync::LazyLock;
//! use tempo_sdk_http::{Request, Response};
//!
//! static APP: LazyLock<Router> = LazyLock::new(|| Router::new().route("/", get(async || "Hello from axum\n")));
//!
//! #[tempo_sdk_http::handler]
//! async fn main(request: Request) -> Response {
//!     tempo_sdk_http::axum::serve(&APP, request).await
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! Depend on axum with `default-features = false` and the required features among `json`, `query`, `form` and
//! `matched-path`: axum's own server needs sockets and threads, which components do not have.

use tower_service::Service;

use crate::{IntoResponse, Request, Response};

/// Serves `request` with `router`.
pub async fn serve(router: &axum::Router, request: Request) -> Response {
    // Cloning increments a reference count; the router is always ready and never fails.
    let mut service = router.clone();
    match service.call(request.into_http().map(axum::body::Body::new)).await {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    }
}
