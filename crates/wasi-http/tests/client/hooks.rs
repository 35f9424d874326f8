//! The hooks as wasmtime calls them.

use http::Request;
use http_body_util::BodyExt;
use tempo_wasi_http::Hooks;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, WasiBody, WasiHttpHooks};

use crate::support::{client, echo_head, get, serve};

async fn send(hooks: &mut Hooks, request: Request<WasiBody>) -> Result<String, Error> {
    let (response, io) = Box::into_pin(hooks.send_request(request, None, Box::new(async { Ok(()) }))).await?;
    let text = response.into_body().collect().await?.to_bytes();
    Box::into_pin(io).await?;
    Ok(String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn requests_go_through_the_client() {
    let server = serve(echo_head).await;
    let mut hooks = Hooks::new(client(&[&server.url("")], &[]));
    assert_eq!(
        send(&mut hooks, get(server.url("/a"))).await.unwrap(),
        format!("GET /a HTTP/1.1\nhost: {}", server.address)
    );
    let denied = send(&mut hooks, get("http://example.test/")).await.unwrap_err();
    assert!(matches!(denied, Error::HttpRequestDenied), "{denied:?}");
}

#[tokio::test]
async fn the_client_alone_writes_the_host_field() {
    let server = serve(echo_head).await;
    let mut hooks = Hooks::new(client(&[&server.url("")], &[]));
    assert!(!hooks.set_host_header());
    for name in &DEFAULT_FORBIDDEN_HEADERS {
        assert!(hooks.is_forbidden_header(name), "{name}");
    }
    // As wasmtime does.
    let mut request = get(server.url("/"));
    request.headers_mut().insert("host", http::HeaderValue::from_static("127.0.0.1"));
    let seen = send(&mut hooks, request).await.unwrap();
    assert_eq!(seen, format!("GET / HTTP/1.1\nhost: {}", server.address));
}

#[tokio::test]
async fn the_transmission_of_a_finished_body_is_known_at_once() {
    let server = serve(echo_head).await;
    let mut hooks = Hooks::new(client(&[&server.url("")], &[]));
    let future = hooks.send_request(get(server.url("/")), None, Box::new(std::future::pending()));
    let (_response, io) = Box::into_pin(future).await.unwrap();
    let at_once = futures::FutureExt::now_or_never(Box::into_pin(io));
    assert!(matches!(at_once, Some(Ok(()))));
}
