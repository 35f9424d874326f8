//! Test servers, and helpers that send requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tempo_wasi_http::{Client, ClientConfig, Policy};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::{Error, WasiBody};

/// A test server's response.
pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Error>>;

/// A server that runs as long as the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Number of accepted connections.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Returns the default configuration after `change`.
pub(crate) fn configured(change: impl FnOnce(&mut ClientConfig)) -> ClientConfig {
    let mut config = ClientConfig::default();
    change(&mut config);
    config
}

/// Serves HTTP/1.1.
pub(crate) async fn serve<F, R>(handler: F) -> Server
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    serve_with(None, handler).await
}

/// Serves HTTP/1.1 and HTTP/2, over TLS if there is an acceptor.
pub(crate) async fn serve_with<F, R>(tls: Option<TlsAcceptor>, handler: F) -> Server
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            let (tls, handler) = (tls.clone(), handler.clone());
            tokio::spawn(async move {
                match tls {
                    None => drive(stream, handler).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            drive(stream, handler).await;
                        }
                    }
                }
            });
        }
    });
    Server { address, connections }
}

async fn drive<S, F, R>(stream: S, handler: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let service = service_fn(move |request| {
        let reply = handler(request);
        async move { Ok::<_, Infallible>(reply.await) }
    });
    // A connection that the test closes is no failure of the server.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Creates a client with `grants`, `addresses` and default limits.
pub(crate) fn client(grants: &[&str], addresses: &[&str]) -> Client {
    client_with(ClientConfig::default(), grants, addresses)
}

pub(crate) fn client_with(config: ClientConfig, grants: &[&str], addresses: &[&str]) -> Client {
    let policy = Policy::new(grants.iter().copied(), addresses.iter().copied()).unwrap();
    Client::new(config, policy).unwrap()
}

pub(crate) fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn full(text: impl Into<Bytes>) -> WasiBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that the test feeds. It buffers one frame, so the sender sees back-pressure.
pub(crate) fn channel() -> (mpsc::Sender<Result<Frame<Bytes>, Error>>, WasiBody) {
    let (sender, mut receiver) = mpsc::channel(1);
    let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, StreamBody::new(stream).boxed_unsync())
}

pub(crate) fn data(text: &'static str) -> Result<Frame<Bytes>, Error> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

pub(crate) fn get(url: impl AsRef<str>) -> Request<WasiBody> {
    Request::get(url.as_ref()).body(empty()).unwrap()
}

pub(crate) fn post(url: impl AsRef<str>, body: WasiBody) -> Request<WasiBody> {
    Request::post(url.as_ref()).body(body).unwrap()
}

/// Sends a request that must succeed, and reads the whole response.
pub(crate) async fn fetch(client: &Client, request: Request<WasiBody>) -> (http::response::Parts, String) {
    let (response, transmission) = client.send(request, None).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    transmission.await.unwrap();
    (parts, text)
}

/// Sends a request that must fail.
pub(crate) async fn refused(client: &Client, request: Request<WasiBody>) -> Error {
    client.send(request, None).await.err().unwrap()
}

/// Answers with the request line and the sorted fields.
pub(crate) async fn echo_head(request: Request<Incoming>) -> Reply {
    let mut lines: Vec<String> =
        request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    let target = request.uri().path_and_query().map_or("", |path| path.as_str());
    lines.insert(0, format!("{} {target} {:?}", request.method(), request.version()));
    Response::new(full(lines.join("\n")))
}

/// Answers with the request's body.
pub(crate) async fn echo_body(request: Request<Incoming>) -> Reply {
    Response::new(request.into_body().map_err(|_| Error::HttpProtocolError).boxed_unsync())
}
