//! The request of the `http` crate, an argument that is taken apart, a response of the same crate.
use tempo_sdk_http::{Body, Response, http};

#[tempo_sdk_http::handler]
async fn handle(mut request: http::Request<Body>) -> Response {
    Response::new(std::mem::take(request.body_mut()))
}

fn main() {}
