//! One connection: TLS if asked for, HTTP/1.1 or HTTP/2, until it is idle, broken, or the server stops.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tempo_telemetry::scope;

use super::activity::{Activity, InFlight, Verdict, Watched};
use super::backlog::Backlog;
use super::body::Body;
use super::config::Config;
use super::fields;
use super::flow::Flow;
use super::reply::Refusal;
use super::request;
use super::send_watch::{SendWatch, StreamExecutor};
use super::telemetry;
use super::tls::Tls;
use super::transport::{Transport, Wire};
use super::turn::end_of_turn;
use super::watchdog::{Event, Watchdog};
use super::worker::Worker;

/// How far the server has come in stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It answers whatever comes in on open connections and asks the clients to close them.
    Leaving,
    /// It finishes what runs and closes idle connections.
    Closing,
}

/// Serves the connections of one thread.
pub(crate) struct Server {
    pub(crate) worker: Arc<Worker>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) tls: Option<Tls>,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// What the requests of one connection have in common.
struct Connection {
    server: Arc<Server>,
    scheme: Scheme,
    admitted: bool,
    /// That of an HTTP/1.1 connection. Streams of HTTP/2 have their own.
    flow: Arc<Flow>,
}

/// hyper's settings for one connection, whose HTTP/2 streams `executor` runs.
fn http(config: &Config, executor: StreamExecutor) -> auto::Builder<StreamExecutor> {
    let mut http = auto::Builder::new(executor);
    http.http1()
        .timer(TokioTimer::new())
        // The watchdog does this for a store rather than a timer a request.
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
    /// Serves `stream` until it is closed. `admitted` is false for a connection above the limit, which is told so.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, admitted: bool) {
        // Small responses go out at once rather than wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let wire = Arc::new(Wire::default());
        let stream = Transport::new(stream, wire.clone());
        let Some(tls) = &self.tls else { return self.speak(stream, wire, Scheme::HTTP, admitted).await };
        match tokio::time::timeout(self.worker.config.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, wire, Scheme::HTTPS, admitted).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak<S>(self: &Arc<Self>, stream: S, wire: Arc<Wire>, scheme: Scheme, admitted: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        let flow = Flow::connection(self.backlog.clone());
        let shared = Arc::new(Connection { server: self.clone(), scheme, admitted, flow });
        let sends = SendWatch::new(self.backlog.clone(), wire.clone());
        let io = TokioIo::new(Watched::new(stream, activity.clone()));
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = activity.request(request.version());
            respond(shared.clone(), in_flight, request)
        });
        let http = http(&self.worker.config, StreamExecutor(sends.clone()));
        let mut connection = pin!(http.serve_connection(io, service));
        // In a set, it is polled only when there is something for it rather than with each request.
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
                        Event::Phase(Phase::Serving) | Event::Look(Verdict::Keep) => {}
                        // An HTTP/1.1 client may be sending a request just now: it is told with the answer.
                        Event::Phase(Phase::Leaving) if !activity.is_http2() => {}
                        Event::Phase(Phase::Closing) => {
                            connection.as_mut().graceful_shutdown();
                            watchdog.hurry();
                        }
                        Event::Phase(Phase::Leaving) | Event::Look(Verdict::Idle) => {
                            connection.as_mut().graceful_shutdown();
                        }
                        Event::Look(Verdict::TooSlow) => return wire.give_up(),
                    }
                    events.push(watchdog.next());
                }
            }
        }
    }
}

/// Answers `request`. hyper copies the future several times, so it has to stay small: what it awaits is made inside, and the
/// largest is pinned where it is made.
async fn respond(
    connection: Arc<Connection>,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let mut response = answer(&connection, request).await;
    response.body_mut().count(Flow::current().unwrap_or_else(|| connection.flow.clone()));
    end_of_turn().await;
    response.body_mut().in_flight = Some(in_flight);
    Ok(response)
}

async fn answer(connection: &Connection, mut request: Request<Incoming>) -> Response<Body> {
    let Connection { server, scheme, admitted, .. } = connection;
    let worker = &server.worker;
    let version = request.version();
    // hyper counts those of HTTP/1.1 only. Telemetry adds its own, which are not the client's.
    let too_many_headers = request.headers().len() > worker.config.headers;
    fields::receive(&mut request);
    let (context, mut told) = telemetry::begin(&worker.measured, scheme, &mut request);
    let mut response = if !admitted {
        worker.workload.telemetry().count_limit_hit("max-connections");
        Refusal::Overloaded.response()
    } else if too_many_headers {
        Refusal::TooManyHeaders.response()
    } else if !server.backlog.wait_for_room(worker.workload.limits().queue_wait).await {
        worker.workload.telemetry().count_limit_hit("max-send-buffer");
        Refusal::Overloaded.response()
    } else {
        let handled = pin!(request::handle(worker.clone(), scheme.clone(), context.clone(), request));
        scope(context, handled).await.unwrap_or_else(Refusal::response)
    };
    if let Some(told) = &mut told {
        told.answered(&response);
    }
    response.body_mut().told = told;
    let leaving = !admitted || *server.phase.borrow() != Phase::Serving;
    if leaving && version <= Version::HTTP_11 {
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
    fn what_hyper_copies_of_a_request_is_small() {
        let size = size(respond);
        assert!(size <= 4 << 10, "{size} bytes");
    }
}
