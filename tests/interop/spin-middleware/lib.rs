//! Middleware with Spin's SDK. It passes requests on, and adds a field to the responses. Those for `/chained/...` it sends to the
//! component `spin-7` of its app, by the name that Spin gives it.

use spin_sdk::http::{HeaderValue, IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> anyhow::Result<impl IntoResponse> {
    if let Some(path) = request.uri().path().strip_prefix("/chained") {
        return Ok(spin_sdk::http::get(format!("http://spin-7.spin.internal{path}")).await?);
    }
    // The host sets these two, and forbids components to send them.
    let (mut head, body) = request.into_parts();
    head.headers.remove("connection");
    head.headers.remove("host");
    let mut response = spin_sdk::http::next(Request::from_parts(head, body)).await?;
    response.headers_mut().append("via", HeaderValue::from_static("1.1 spin"));
    Ok(response)
}
