//! The function is not async.
use tempo_sdk_http::{IntoResponse, Request};

#[tempo_sdk_http::handler]
fn handle(_: Request) -> impl IntoResponse {
    "hello"
}

fn main() {}
