//! The HTTP server of `--admin` and `--dashboard`. It is separate from the component's server, so that it answers under
//! overload. All its resources are bounded. It is read-only, except for the OTLP receiver of the dashboard.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tempo_settings::{Error, ErrorKind, Flag};
use tempo_telemetry::AcceptErrors;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::admin::hosts::{HostName, Hosts};

/// Maximum connections. Each program that exports to a dashboard has three.
const MAX_CONNECTIONS: usize = 64;
/// Maximum size of a request's head, which is hyper's minimum buffer size, in bytes; and maximum number of headers.
const MAX_HEAD_BYTES: usize = 8192;
const MAX_HEADERS: usize = 64;
/// Timeout for receiving a request's head, idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Delay after a failed `accept`, for example when the process has no file descriptor left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// File descriptors reserved for when the process has none left.
const MAX_SPARE_DESCRIPTORS: usize = 4;

/// Headers of all responses: no foreign content, framing, sniffing or caching.
const COMMON_HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The pages of a [`Listener`], such as [`Admin`](crate::Admin).
pub trait Pages: Send + Sync + 'static {
    /// Timeout of a connection, whatever it requests.
    fn connection_timeout(&self) -> Duration;

    /// Returns the response to a GET of `path`, if the page exists. `last_event` is the last event ID of a resumed
    /// stream.
    fn page(&self, path: &str, last_event: Option<&str>) -> Option<Reply>;

    /// Returns whether connections are kept alive.
    fn keeps_alive(&self) -> bool {
        true
    }

    /// Authorizes a request. Returns a cookie to set with the page, if any.
    ///
    /// # Errors
    ///
    /// The response to a request that is not authorized.
    fn authorize(&self, _request: &Request<Incoming>) -> Result<Option<HeaderValue>, Reply> {
        Ok(None)
    }

    /// Returns whether the server passes requests with the method POST to `path` to [`post`](Self::post).
    fn accepts_post(&self, _path: &str) -> bool {
        false
    }

    /// Handles a request with the method POST.
    fn post(&self, _request: Request<Incoming>) -> BoxFuture<'_, Reply> {
        Box::pin(std::future::ready(Reply::read_only()))
    }
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: UnsyncBoxBody<Bytes, Infallible>,
    cookie: Option<HeaderValue>,
}

impl Reply {
    /// Creates a page.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: Full::new(body.into()).boxed_unsync(), cookie: None }
    }

    /// Creates a one-line text response.
    pub fn text(status: StatusCode, line: &str) -> Self {
        Self { status, ..Self::new("text/plain; charset=utf-8", format!("{line}\n")) }
    }

    /// Creates a streaming response.
    pub fn stream(content_type: &'static str, stream: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let frames = stream.map(|bytes| Ok(Frame::data(bytes)));
        Self { status: StatusCode::OK, content_type, body: StreamBody::new(frames).boxed_unsync(), cookie: None }
    }

    fn read_only() -> Self {
        Self::text(StatusCode::METHOD_NOT_ALLOWED, "nothing here can be changed")
    }

    fn response(self) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.extend(COMMON_HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        headers.extend(self.cookie.map(|cookie| (header::SET_COOKIE, cookie)));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    listener: std::net::TcpListener,
    address: SocketAddr,
    hosts: Hosts,
}

impl Listener {
    /// Binds `address`, the value of `flag`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: the port is in use, or the address is not local.
    pub fn bind(address: SocketAddr, flag: &Flag) -> Result<Self, Error> {
        let bound = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Self { address: listener.local_addr()?, listener, hosts: Hosts::default() })
        };
        bound().map_err(|error: std::io::Error| {
            let message = format!("cannot listen on {address}: {error}; choose another address with --{}", flag.name);
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    /// Accepts requests for these host names in addition to `localhost` and addresses; `*` accepts any.
    #[must_use]
    pub fn with_hosts(mut self, names: &[HostName]) -> Self {
        self.hosts = Hosts::new(names);
        self
    }

    /// Returns the address, with the actual port if 0 was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until dropped, which also closes its connections. Needs a tokio runtime with I/O and time.
    pub async fn serve(self, pages: Arc<dyn Pages>) {
        let spare = SpareDescriptors::of(&self.listener);
        let (listener, mut spare) = match TcpListener::from_std(self.listener).and_then(|it| Ok((it, spare?))) {
            Ok(both) => both,
            Err(error) => return tracing::error!(%error, address = %self.address, "cannot serve"),
        };
        let hosts = Arc::new(self.hosts);
        let (mut connections, mut errors) = (Connections::default(), AcceptErrors::default());
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => connections.add(connection(stream, hosts.clone(), pages.clone())),
                    Err(error) => {
                        errors.log(&self.address, &error);
                        if !spare.release() {
                            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                        }
                    }
                },
                () = connections.ended() => spare.refill(),
            }
        }
    }
}

/// The connections of a listener.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// Oldest first.
    order: VecDeque<AbortHandle>,
}

impl Connections {
    /// Serves a connection. At the limit the oldest connection is closed, so that one client cannot block the others.
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.order.retain(|task| !task.is_finished());
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(connection));
    }

    /// Waits until a connection has ended.
    async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending().await
        }
    }
}

/// File descriptors reserved for when the process has none left, which is when health checks matter most.
struct SpareDescriptors {
    listener: std::net::TcpListener,
    kept: Vec<std::net::TcpListener>,
}

impl SpareDescriptors {
    /// Reserves copies of the descriptor of `listener`.
    fn of(listener: &std::net::TcpListener) -> std::io::Result<Self> {
        let mut spare = Self { listener: listener.try_clone()?, kept: Vec::new() };
        spare.refill();
        Ok(spare)
    }

    /// Closes one reserved descriptor. Returns false if none is left.
    fn release(&mut self) -> bool {
        self.kept.pop().is_some()
    }

    fn refill(&mut self) {
        while self.kept.len() < MAX_SPARE_DESCRIPTORS {
            let Ok(copy) = self.listener.try_clone() else { return };
            self.kept.push(copy);
        }
    }
}

async fn connection(stream: TcpStream, hosts: Arc<Hosts>, pages: Arc<dyn Pages>) {
    let connection_timeout = pages.connection_timeout();
    let service = service_fn(|request| async {
        let reply = answer(request, &hosts, &*pages).await;
        Ok::<_, Infallible>(reply.response())
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(pages.keeps_alive())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // Errors are caused by the client: it disconnected, or did not send HTTP.
    let _ = tokio::time::timeout(connection_timeout, serving).await;
}

async fn answer(request: Request<Incoming>, hosts: &Hosts, pages: &dyn Pages) -> Reply {
    if !hosts.allows(&request) {
        let why = "the Host header has to be localhost, an address, or a name of --admin-host or --dashboard-host";
        return Reply::text(StatusCode::MISDIRECTED_REQUEST, why);
    }
    let cookie = match pages.authorize(&request) {
        Ok(cookie) => cookie,
        Err(refusal) => return refusal,
    };
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::POST if pages.accepts_post(request.uri().path()) => return pages.post(request).await,
        _ => return Reply::read_only(),
    }
    let last_event = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let page = pages.page(request.uri().path(), last_event);
    let page = page.unwrap_or_else(|| Reply::text(StatusCode::NOT_FOUND, "no such page"));
    Reply { cookie, ..page }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ADMIN;

    #[test]
    fn a_port_in_use_names_the_flag_to_change() {
        let first = Listener::bind(([127, 0, 0, 1], 0).into(), &ADMIN).unwrap();
        let error = Listener::bind(first.address(), &ADMIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let message = error.to_string();
        assert!(message.starts_with(&format!("cannot listen on {}: ", first.address())), "{message}");
        assert!(message.ends_with("; choose another address with --admin"), "{message}");
    }
}
