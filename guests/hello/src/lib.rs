//! The smallest HTTP component. `cargo xtask run hello` builds and serves it; then `curl http://127.0.0.1:8080/`.

use tempo_sdk_http::{IntoResponse, Request};

/// Handles every request. It does not access the request, so nothing of it is fetched from the host.
#[tempo_sdk_http::handler]
async fn main(_request: Request) -> impl IntoResponse {
    "Hello from Tempo!\n"
}
