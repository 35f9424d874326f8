//! HTTP/2 with hyper's client.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::PATIENCE;

pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

/// Runs a test's future with a timeout, so that a hang is a failure.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("this never happened") })
}

/// Opens a connection with prior knowledge.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Body> {
    handshake(tokio::net::TcpStream::connect(address).await.unwrap()).await
}

/// Opens a connection over a transport.
pub(crate) async fn handshake(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Body> {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(crate) fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

/// Creates a body that the test writes incrementally.
pub(crate) fn channel() -> (tokio::sync::mpsc::UnboundedSender<Frame<Bytes>>, Body) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|frame| frame.map(Ok)));
    (sender, BoxBody::new(StreamBody::new(stream)))
}

pub(crate) fn request(method: &str, target: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(format!("http://example.test{target}")).body(body).unwrap()
}

/// Returns the status, text and trailers of a response.
pub(crate) async fn whole(response: http::Response<Incoming>) -> (u16, String, Option<HeaderMap>) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (status, String::from_utf8_lossy(&body.to_bytes()).into_owned(), trailers)
}

/// Sends one GET on an existing connection.
pub(crate) async fn get(sender: &mut SendRequest<Body>, target: &str) -> (u16, String) {
    let response = sender.send_request(request("GET", target, empty())).await.unwrap();
    let (status, text, _) = whole(response).await;
    (status, text)
}

/// Sends a GET whose response is aborted: a 500 if nothing was sent yet, which depends on the load of the machine, and
/// otherwise a reset stream.
pub(crate) async fn breaks_off(sender: &mut SendRequest<Body>, target: &str) {
    let response = match sender.send_request(request("GET", target, empty())).await {
        Ok(response) if response.status() == 500 => return,
        Ok(response) => response.into_body().collect().await.map(|body| body.to_bytes().len()),
        Err(error) => Err(error),
    };
    let error = format!("{:?}", response.expect_err("the response looks complete"));
    assert!(error.contains("INTERNAL_ERROR"), "{target}: {error}");
}
