//! The attribute has an option.
use tempo_sdk_http::{IntoResponse, Request};

#[tempo_sdk_http::handler(path = "/")]
async fn handle(_: Request) -> impl IntoResponse {
    "hello"
}

fn main() {}
