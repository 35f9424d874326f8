//! The function is generic.
use tempo_sdk_http::{IntoResponse, Request};

#[tempo_sdk_http::handler]
async fn handle<T: Default>(_: Request) -> impl IntoResponse {
    "hello"
}

fn main() {}
