//! The smallest HTTP component. Build and serve it: `cargo xtask run hello`; then `curl http://127.0.0.1:8080/`.

use tempo_sdk_http::{IntoResponse, Request};

/// Answers every request. The request is not looked at, so nothing of it is fetched from the host.
#[tempo_sdk_http::handler]
async fn main(_request: Request) -> impl IntoResponse {
    "Hello from Tempo!\n"
}
