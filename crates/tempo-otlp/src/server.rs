//! A small HTTP server for what the runtime tells of itself. It is apart from the one that serves components, so that it
//! answers when that one is full. It is bounded in everything, and tells: no method but GET and HEAD, except where the
//! dashboard takes what others tell.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tempo_settings::{Error, ErrorKind, Flag};
use tempo_telemetry::AcceptErrors;

use crate::hosts::{HostName, Hosts};
use crate::intake::Intake;
use crate::token::Token;

/// Connections at once, of which each program that tells a dashboard has three.
const CONNECTIONS: usize = 64;
/// A request's head in bytes, which is hyper's lower bound on its buffer, and in headers.
const HEAD: usize = 8192;
const HEADERS: usize = 64;
/// To send a head, and to stay without asking anything.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// After the system has refused to accept, for example because the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// File descriptors that are kept for connections when the process has no other.
const SPARE: usize = 4;

/// Sent with every answer: nothing of another origin is loaded, nothing is framed, guessed or kept.
const HEADERS_OF_ALL: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What is told, by paths.
pub(crate) trait Pages: Send + Sync + 'static {
    /// How long a client may take for one connection, whatever it asks.
    fn patience(&self) -> Duration;

    /// The answer to a GET of `path`, if there is such a page. `last_event` is where a stream of events broke off.
    fn page(&self, path: &str, last_event: Option<&str>) -> Option<Reply>;

    /// Whether a connection stays for more than one request.
    fn keeps_alive(&self) -> bool {
        true
    }

    /// What requests have to show, if anything.
    fn token(&self) -> Option<&Token> {
        None
    }

    /// What takes the telemetry of others, if anything does.
    fn intake(&self) -> Option<&Intake> {
        None
    }
}

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: UnsyncBoxBody<Bytes, Infallible>,
    cookie: Option<HeaderValue>,
}

impl Reply {
    /// A whole page.
    pub(crate) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: Full::new(body.into()).boxed_unsync(), cookie: None }
    }

    /// A line for a person.
    pub(crate) fn text(status: StatusCode, line: &str) -> Self {
        Self { status, ..Self::new("text/plain; charset=utf-8", format!("{line}\n")) }
    }

    /// What goes on until it ends or the client leaves.
    pub(crate) fn stream(content_type: &'static str, stream: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        let frames = stream.map(|bytes| Ok(Frame::data(bytes)));
        Self { status: StatusCode::OK, content_type, body: StreamBody::new(frames).boxed_unsync(), cookie: None }
    }

    fn response(self) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.extend(HEADERS_OF_ALL.map(|(name, value)| (name, HeaderValue::from_static(value))));
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

/// An address that is listened on, before anybody answers there.
#[derive(Debug)]
pub struct Listener {
    listener: std::net::TcpListener,
    address: SocketAddr,
    hosts: Hosts,
}

impl Listener {
    /// Listens on `address`, which was given as `flag`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: the port is in use, or the address is not this machine's.
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

    /// The same, and requests may name these hosts, beside `localhost` and addresses; `*` is any.
    #[must_use]
    pub fn with_hosts(mut self, names: &[HostName]) -> Self {
        self.hosts = Hosts::new(names);
        self
    }

    /// The address, with the port that was picked if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until dropped, and its connections end with it. Needs a tokio runtime with I/O and time.
    pub(crate) async fn serve(self, pages: Arc<dyn Pages>) {
        let spare = Spare::of(&self.listener);
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
                        if !spare.give() {
                            tokio::time::sleep(PAUSE).await;
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
    /// The oldest first.
    order: VecDeque<AbortHandle>,
}

impl Connections {
    /// Serves one more. Where there are too many, the oldest ends: a client that holds many keeps no other out.
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.order.retain(|task| !task.is_finished());
        if self.order.len() >= CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(connection));
    }

    /// Waits until one has ended.
    async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending().await
        }
    }
}

/// File descriptors that are kept for when the process has none left: health is asked for then above all.
struct Spare {
    listener: std::net::TcpListener,
    kept: Vec<std::net::TcpListener>,
}

impl Spare {
    /// Copies of the descriptor of `listener`: any would do, and these need nothing else.
    fn of(listener: &std::net::TcpListener) -> std::io::Result<Self> {
        let mut spare = Self { listener: listener.try_clone()?, kept: Vec::new() };
        spare.refill();
        Ok(spare)
    }

    /// Frees one, if there is one.
    fn give(&mut self) -> bool {
        self.kept.pop().is_some()
    }

    fn refill(&mut self) {
        while self.kept.len() < SPARE {
            let Ok(copy) = self.listener.try_clone() else { return };
            self.kept.push(copy);
        }
    }
}

async fn connection(stream: TcpStream, hosts: Arc<Hosts>, pages: Arc<dyn Pages>) {
    let patience = pages.patience();
    let service = service_fn(|request| async {
        let reply = answer(request, &hosts, &*pages).await;
        Ok::<_, Infallible>(reply.response())
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(pages.keeps_alive())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // An error is the client's: it is gone, or never spoke HTTP.
    let _ = tokio::time::timeout(patience, serving).await;
}

async fn answer(request: Request<Incoming>, hosts: &Hosts, pages: &dyn Pages) -> Reply {
    if !hosts.are_meant(&request) {
        let why = "the Host header has to be localhost, an address, or a name of --admin-host or --dashboard-host";
        return Reply::text(StatusCode::MISDIRECTED_REQUEST, why);
    }
    let mut cookie = None;
    if let Some(token) = pages.token() {
        if !token.is_shown(&request) {
            let why = "show the token of --dashboard-token, or of the address that is logged at start";
            return Reply::text(StatusCode::UNAUTHORIZED, why);
        }
        cookie = token.cookie(&request);
    }
    if let (&Method::POST, Some(intake), true) = (request.method(), pages.intake(), Intake::takes(request.uri().path()))
    {
        return intake.take(request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "nothing here can be changed");
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
    fn a_port_in_use_is_said_with_the_flag_to_change() {
        let first = Listener::bind(([127, 0, 0, 1], 0).into(), &ADMIN).unwrap();
        let error = Listener::bind(first.address(), &ADMIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let said = error.to_string();
        assert!(said.starts_with(&format!("cannot listen on {}: ", first.address())), "{said}");
        assert!(said.ends_with("; choose another address with --admin"), "{said}");
    }
}
