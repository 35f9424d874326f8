//! A handler of wasi:http 0.2 with `wstd`, without any Tempo crate.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let response = Response::builder().header("content-type", "text/plain");
    Ok(response.body(format!("hello from Rust with wstd: {}", request.uri().path()).into())?)
}
