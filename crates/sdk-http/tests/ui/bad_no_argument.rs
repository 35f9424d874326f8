//! The function has no argument.
use tempo_sdk_http::IntoResponse;

#[tempo_sdk_http::handler]
async fn handle() -> impl IntoResponse {
    "hello"
}

fn main() {}
