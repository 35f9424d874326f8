//! `Client`: sends a component's request and receives the head of its response.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tempo_backend::Reservation;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::config::{ClientConfig, Timeouts};
use super::connect::Connector;
use super::download::Download;
use super::error::request_error;
use super::replay::{ConnectionUse, Replay, was_stale};
use super::request::{prepare, prepare_for};
use super::tls::Tls;
use super::transmission::Transmission;
use super::upload::{Progress, Upload};
use crate::chain::ChainLink;
use crate::egress::{Policy, Target};
use crate::fields::remove_named_by_connection;
use crate::handlers::Handlers;

/// Flow-control window of an HTTP/2 response, in bytes; hyper's default of 2 MiB is too much for many at once.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Flow-control window of an HTTP/2 connection, in bytes: a few components that do not read must not block the others.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Send buffer of an HTTP/2 request, in bytes.
const SEND_BUFFER: usize = 256 * 1024;

/// Interval and timeout of pings on a busy HTTP/2 connection. Without pings, a dead connection would take every request
/// to its host.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// Sends requests that the policy permits, over pooled connections. Clones share everything.
///
/// Connections are tasks of the runtime that created them; if that runtime shuts down, they end, and their requests
/// fail with [`Error::ConnectionTerminated`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

struct Inner {
    pooled: legacy::Client<Connector, Upload>,
    /// Retries a request whose pooled connection was closed: others in the pool may be closed too.
    unpooled: legacy::Client<Connector, Upload>,
    policy: Policy,
    config: ClientConfig,
    request_permits: Arc<Semaphore>,
}

impl Client {
    /// Creates a client. It connects on the first request.
    ///
    /// # Errors
    /// A file of certificate authorities cannot be read or holds none.
    pub fn new(config: ClientConfig, policy: Policy) -> tempo_settings::Result<Self> {
        let connector = Connector::new(policy.clone(), &config)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_timeout)
            .pool_max_idle_per_host(config.max_idle_per_host)
            // hyper panics below 8 KiB.
            .http1_max_buf_size(config.max_response_header_bytes.max(8192))
            .http1_max_headers(config.max_response_headers)
            .http2_max_header_list_size(u32::try_from(config.max_response_header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(SEND_BUFFER)
            .http2_keep_alive_interval(HTTP2_PING)
            .http2_keep_alive_timeout(HTTP2_PING);
        let pooled = builder.build(connector.clone());
        let unpooled = builder.pool_max_idle_per_host(0).build(connector);
        let request_permits = Arc::new(Semaphore::new(config.max_requests.min(Semaphore::MAX_PERMITS)));
        Ok(Self(Arc::new(Inner { pooled, unpooled, policy, config, request_permits })))
    }

    /// Reads certificate authorities, as [`new`](Self::new) does.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or holds no certificate.
    pub(crate) fn check_authorities(files: &[PathBuf]) -> tempo_settings::Result<()> {
        if files.is_empty() { Ok(()) } else { Tls::new(files, Duration::ZERO).map(drop) }
    }

    /// Returns the egress policy.
    pub(super) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Sends a request and waits for the head of its response. Both bodies are streamed.
    ///
    /// An idempotent request without a body is retried once on a new connection if its pooled connection was closed
    /// before any part of a response arrived.
    ///
    /// # Errors
    /// The policy denies the request, the request is malformed, connecting fails, or no response arrives in time.
    /// Errors carry only their kind.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(Response<WasiBody>, Transmission), Error> {
        self.send_reserved(request, options, None).await
    }

    /// Like [`send`](Self::send). Releases `reserved` when the response has been read or dropped.
    pub(super) async fn send_reserved(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        reserved: Option<Reservation>,
    ) -> Result<(Response<WasiBody>, Transmission), Error> {
        let timeouts = Timeouts::new(&self.0.config, options);
        let progress = Progress::new();
        let (request, mut transmission) = prepare(request, &self.0.policy, Arc::clone(&progress)).await?;
        let permit = timeout(timeouts.permit, Arc::clone(&self.0.request_permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Error::ConnectionLimitReached) };
        let mut response = self.head(request, &mut transmission, &progress, timeouts).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed);
        }
        remove_named_by_connection(response.headers_mut());
        // hyper limits them for HTTP/1.1 only.
        if response.headers().len() > self.0.config.max_response_headers {
            return Err(Error::HttpResponseHeaderSectionSize(None));
        }
        let response =
            response.map(|body| Download::new(body, timeouts.between_bytes, (permit, reserved)).boxed_unsync());
        Ok((response, transmission))
    }

    /// Sends a request to a component of the app, in memory, and waits for the head of its response. Both bodies are streamed.
    ///
    /// # Errors
    /// As [`send`](Self::send). A component that fails answers as to a client of the server.
    pub(crate) async fn send_to_component(
        &self,
        link: ChainLink,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        reserved: Option<Reservation>,
    ) -> Result<(Response<WasiBody>, Transmission), Error> {
        let (name, target) = self.0.policy.permit_component(request.uri())?;
        let handlers = link.handlers_of(&name)?;
        self.send_in_app(link, handlers, target, request, options, reserved).await
    }

    /// Passes the request of middleware on to the first of `next`, in memory.
    ///
    /// # Errors
    /// As [`send`](Self::send). No grant is needed: the app puts the components in this order.
    pub(super) async fn send_to_next(
        &self,
        link: ChainLink,
        next: Handlers,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        reserved: Option<Reservation>,
    ) -> Result<(Response<WasiBody>, Transmission), Error> {
        let target = self.0.policy.next_handler(request.uri())?;
        self.send_in_app(link, next, target, request, options, reserved).await
    }

    async fn send_in_app(
        &self,
        link: ChainLink,
        handlers: Handlers,
        target: Target,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        reserved: Option<Reservation>,
    ) -> Result<(Response<WasiBody>, Transmission), Error> {
        let timeouts = Timeouts::new(&self.0.config, options);
        let progress = Progress::new();
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let authority = target.authority();
        let (mut request, mut transmission) = prepare_for(target, request, Arc::clone(&progress)).await?;
        let host = HeaderValue::try_from(authority).map_err(|_| Error::HttpRequestUriInvalid)?;
        // From the URL that the policy has checked: the component cannot forge it.
        request.headers_mut().insert(HOST, host);
        let request = request.map(|upload| upload.map_err(|_| Error::HttpProtocolError).boxed_unsync());
        let mut answer = link.call(&handlers, request, (timeouts.between_bytes, reserved))?;
        let mut response = answered(&mut answer, &mut transmission, &progress, timeouts).await??;
        remove_named_by_connection(response.headers_mut());
        Ok((response.map(BodyExt::boxed_unsync), transmission))
    }

    /// Waits for the response, on a new connection if the pooled one was closed.
    async fn head(
        &self,
        request: Request<Upload>,
        transmission: &mut Transmission,
        progress: &Progress,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, Error> {
        let replay = Replay::of(&request);
        let Inner { pooled, unpooled, .. } = &*self.0;
        let response = match (attempt(pooled, request, transmission, progress, timeouts).await?, replay) {
            (Err(error), Some(replay)) if was_stale(&error) => {
                tracing::debug!(?error, "an outgoing request is sent once more");
                attempt(unpooled, replay.into_request(), transmission, progress, timeouts).await?
            }
            (response, _) => response,
        };
        match response {
            Ok(response) => {
                if let Some(connection) = response.extensions().get::<ConnectionUse>() {
                    connection.answered();
                }
                Ok(response)
            }
            Err(error) => {
                tracing::debug!(?error, "an outgoing request failed");
                // If the request's body failed, hyper's error only reports that; the body's own error has the cause.
                Err(transmission.failure().now_or_never().unwrap_or_else(|| request_error(&error)))
            }
        }
    }
}

/// Waits for the response of one attempt, with separate timeouts before and after there is a connection.
async fn attempt(
    client: &legacy::Client<Connector, Upload>,
    mut request: Request<Upload>,
    transmission: &mut Transmission,
    progress: &Progress,
    timeouts: Timeouts,
) -> Result<Result<Response<Incoming>, legacy::Error>, Error> {
    let mut connection = capture_connection(&mut request);
    let connected = async move {
        connection.wait_for_connection_metadata().await;
    };
    let mut response = client.request(request);
    tokio::select! {
        biased;
        error = transmission.failure() => return Err(error),
        result = &mut response => return Ok(result),
        () = connected => progress.touch(),
        () = sleep(timeouts.connection) => return Err(Error::ConnectionTimeout),
    }
    answered(&mut response, transmission, progress, timeouts).await
}

/// Waits for `response` until the request has made no progress for the timeout of the first byte.
async fn answered<R>(
    response: &mut (impl Future<Output = R> + Unpin),
    transmission: &mut Transmission,
    progress: &Progress,
    timeouts: Timeouts,
) -> Result<R, Error> {
    loop {
        tokio::select! {
            biased;
            error = transmission.failure() => return Err(error),
            result = &mut *response => return Ok(result),
            () = sleep_until(progress.deadline(timeouts.first_byte)) => {
                if progress.deadline(timeouts.first_byte) <= Instant::now() {
                    return Err(Error::ConnectionReadTimeout);
                }
            }
        }
    }
}
