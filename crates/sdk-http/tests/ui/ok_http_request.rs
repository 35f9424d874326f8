//! A request and a response of the `http` crate, and a destructured argument.
use tempo_sdk_http::{Body, Response, http};

#[tempo_sdk_http::handler]
async fn handle(mut request: http::Request<Body>) -> Response {
    Response::new(std::mem::take(request.body_mut()))
}

fn main() {}
