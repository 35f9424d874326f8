//! Serves one connection: TLS if configured, HTTP/1.1 or HTTP/2, until it is idle, broken, or the server closes it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tempo_telemetry::Health;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::activity::{Activity, ActivityTransport, ConnectionStatus, InFlight};
use super::backlog::Backlog;
use super::body::{Body, Content};
use super::config::Config;
use super::fair_queue::FairQueue;
use super::fields;
use super::flow::Flow;
use super::half_close::HalfClose;
use super::reply::Refusal;
use super::request::{self, Source};
use super::send_watch::{SendWatch, StreamExecutor};
use super::served::CurrentlyServed;
use super::telemetry;
use super::transport::{SocketState, Transport};
use super::turn::end_of_turn;
use super::watchdog::{Event, Watchdog};

/// The phase of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerPhase {
    /// The server accepts connections and requests.
    Serving,
    /// The server answers requests on open connections and asks clients to close them.
    Draining,
    /// The server finishes running requests and closes idle connections.
    Closing,
}

/// Serves the connections of one thread.
pub(crate) struct Server {
    pub(crate) served: CurrentlyServed,
    pub(crate) fair_queue: Arc<FairQueue>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) health: Health,
    pub(crate) phase: watch::Receiver<ServerPhase>,
}

/// State shared by the requests of one connection.
struct Connection {
    server: Arc<Server>,
    scheme: Scheme,
    admitted: bool,
    /// The flow of an HTTP/1.1 connection. Each HTTP/2 stream has its own.
    flow: Arc<Flow>,
}

/// Returns hyper's settings for one connection, whose HTTP/2 streams `executor` runs.
fn http(config: &Config, executor: StreamExecutor) -> auto::Builder<StreamExecutor> {
    let mut http = auto::Builder::new(executor);
    http.http1()
        .timer(TokioTimer::new())
        // The watchdog enforces it with one atomic store per request instead of a timer.
        .header_read_timeout(None)
        .max_headers(config.headers)
        .max_buf_size(config.header_size);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.streams)
        .max_header_list_size(u32::try_from(config.header_size).unwrap_or(u32::MAX))
        .keep_alive_interval(config.idle_timeout)
        .keep_alive_timeout(config.header_timeout);
    http
}

impl Server {
    /// Serves `stream` until it is closed. If `admitted` is false, its requests get 503.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, admitted: bool) {
        // Sends small responses at once instead of waiting for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let socket = Arc::new(SocketState::default());
        let stream = Transport::new(stream, socket.clone());
        let (tls, timeout) = {
            let served = self.served.get();
            (served.tls.clone(), served.config.header_timeout)
        };
        let Some(tls) = tls else { return self.serve_http(stream, socket, Scheme::HTTP, admitted).await };
        match tokio::time::timeout(timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream, socket, Scheme::HTTPS, admitted).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http<S>(self: &Arc<Self>, stream: S, socket: Arc<SocketState>, scheme: Scheme, admitted: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let flow = Flow::connection(self.backlog.clone());
        let (config, admission) = {
            let served = self.served.get();
            (served.config.clone(), served.admission.clone())
        };
        // The end of a TLS connection closes both sides.
        let grace = config.half_close_grace;
        let half_close = (scheme == Scheme::HTTP && !grace.is_zero()).then(|| HalfClose::new(admission, grace));
        let shared = Arc::new(Connection { server: self.clone(), scheme, admitted, flow });
        let sends = SendWatch::new(self.backlog.clone(), socket.clone());
        let io = TokioIo::new(ActivityTransport::new(stream, activity.clone(), half_close));
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = activity.request(request.version());
            respond(shared.clone(), in_flight, request)
        });
        let http = http(&config, StreamExecutor(sends.clone()));
        let mut connection = pin!(http.serve_connection(io, service));
        // The set polls the watchdog only when it is woken, not with each request.
        let mut events = FuturesUnordered::from_iter([Watchdog::new(self, &activity, sends).next()]);
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(error = %error, "a connection broke off");
                    }
                    return;
                }
                Some((event, mut watchdog)) = events.next() => {
                    match event {
                        Event::Phase(ServerPhase::Serving) | Event::Status(ConnectionStatus::Keep) => {}
                        // An HTTP/1.1 client may be sending a request: its response carries `connection: close`.
                        Event::Phase(ServerPhase::Draining) if !activity.is_http2() => {}
                        Event::Phase(ServerPhase::Closing) => {
                            connection.as_mut().graceful_shutdown();
                            watchdog.shorten_timeouts();
                        }
                        Event::Phase(ServerPhase::Draining) | Event::Status(ConnectionStatus::Idle) => {
                            connection.as_mut().graceful_shutdown();
                        }
                        Event::Status(ConnectionStatus::TooSlow) => return socket.reset_on_drop(),
                    }
                    events.push(watchdog.next());
                }
            }
        }
    }
}

/// Answers `request`. hyper copies this future several times, so it must stay small: it creates the futures that it awaits
/// inside, and pins the largest in place.
async fn respond(
    connection: Arc<Connection>,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let response = answer(&connection, in_flight, request).await;
    end_of_turn().await;
    Ok(response)
}

async fn answer(connection: &Connection, in_flight: InFlight, mut request: Request<Incoming>) -> Response<Body> {
    let Connection { server, scheme, admitted, flow } = connection;
    let version = request.version();
    // hyper limits them for HTTP/1.1 only. Checked before telemetry adds headers of its own.
    let served = server.served.get();
    let too_many_headers = request.headers().len() > served.config.headers;
    fields::receive(&mut request);
    let selected = served.workers.select(&request);
    let metrics = selected.as_ref().map_or(&served.metrics, |(worker, _)| &worker.metrics);
    let (context, mut span) = telemetry::begin(metrics, scheme, &mut request);
    let answered = if !admitted {
        served.telemetry.count_limit_hit("max-connections");
        Err(Refusal::Overloaded)
    } else if too_many_headers {
        Err(Refusal::TooManyHeaders)
    } else if !server.backlog.wait_for_room(served.queue_wait).await {
        served.telemetry.count_limit_hit("max-send-buffer");
        Err(Refusal::Overloaded)
    } else {
        match selected {
            Ok((worker, next)) => {
                let queue = served.workers.has_several().then(|| server.fair_queue.clone());
                pin!(request::handle(worker.clone(), Source::client(scheme, next, queue), context, request)).await
            }
            Err(refusal) => Err(refusal),
        }
    };
    let refusal = answered.as_ref().err().copied();
    let response = answered
        .unwrap_or_else(|refusal| refusal.response().map(|text| Content::full(Bytes::from_static(text.as_bytes()))));
    if let Some(span) = &mut span {
        span.answered(response.status(), refusal);
    }
    let flow = Flow::current().unwrap_or_else(|| flow.clone());
    let mut response = response.map(|content| Body::new(content, flow, span, in_flight));
    let closing = !admitted || *server.phase.borrow() != ServerPhase::Serving;
    if closing && version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        let size = size(respond);
        assert!(size <= 4 << 10, "{size} bytes");
    }
}
