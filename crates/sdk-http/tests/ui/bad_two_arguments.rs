//! The function has a second argument.
use tempo_sdk_http::{IntoResponse, Request};

#[tempo_sdk_http::handler]
async fn handle(_: Request, name: String) -> impl IntoResponse {
    name
}

fn main() {}
