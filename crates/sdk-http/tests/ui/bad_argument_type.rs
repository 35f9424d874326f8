//! The argument is not a request.
use tempo_sdk_http::IntoResponse;

#[tempo_sdk_http::handler]
async fn handle(body: String) -> impl IntoResponse {
    body
}

fn main() {}
