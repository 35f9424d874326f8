//! A component with hostile behaviour on request: the path selects the behaviour, the query the amount.

mod bodies;
mod crash;
mod held;
mod memory;
mod outgoing;
mod system;
mod talk;
mod waits;

use std::sync::LazyLock;

use tempo_sdk_http::{IntoResponse, Request, Router, StatusCode};

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    let router = Router::new().get("/", async |_: Request| "hostile\n");
    let router = crash::routes(router);
    let router = held::routes(router);
    let router = memory::routes(router);
    let router = bodies::routes(router);
    let router = outgoing::routes(router);
    let router = system::routes(router);
    let router = talk::routes(router);
    waits::routes(router).fallback(async |_: Request| StatusCode::NOT_FOUND)
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Returns the query value of `name` as a number, or `default`.
fn number(request: &Request, name: &str, default: u64) -> u64 {
    request.query_value(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Returns the query value of `name`; empty without one.
fn text(request: &Request, name: &str) -> String {
    request.query_value(name).unwrap_or_default().into_owned()
}
