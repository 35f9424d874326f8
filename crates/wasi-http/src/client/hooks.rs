//! `Hooks`: connects a [`Client`] to `wasi:http` 0.2 and 0.3.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, OnceLock};

use http::{Request, Response, Uri};
use http_body::Body as _;
use tempo_backend::ByteBudget;
use tempo_core::ChainDepth;
use tempo_telemetry::{Telemetry, current};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode02;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode03;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::error::response_error;
use super::send::Client;
use super::telemetry::{ClientInstruments, ClientSpan};
use crate::chain::{Chain, ChainLink};
use crate::egress::Policy;
use crate::handlers::Handlers;
use crate::held::{CHUNK_BYTES, P2_BODY_BYTES, header_bytes};

type SendResult = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The `hooks` of a [`WasiHttpCtxView`](wasmtime_wasi_http::WasiHttpCtxView): sends outgoing requests through a
/// [`Client`].
#[derive(Clone)]
pub struct Hooks {
    client: Client,
    telemetry: Telemetry,
    /// `None` if metrics are disabled.
    instruments: Option<Arc<ClientInstruments>>,
    bytes: Option<ByteBudget>,
    /// `None` if the component is alone in its process.
    app: Option<AppLink>,
}

/// Where a request goes.
pub(super) enum Destination {
    /// To a server.
    Network,
    /// To the component that its URL names.
    Component(ChainLink),
    /// To the next component after middleware.
    Next(ChainLink, Handlers),
    /// Nowhere: there is no app.
    Nowhere,
}

/// The link of one store to the components of its app.
#[derive(Clone, Default)]
struct AppLink {
    /// Empty until the server has started.
    chain: Arc<OnceLock<Arc<Chain>>>,
    /// The number of calls that wait in a row for the one that runs in the store.
    depth: ChainDepth,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Hooks {
    /// Creates hooks that send through `client`, under its policy.
    pub fn new(client: Client) -> Self {
        Self { client, telemetry: Telemetry::off(), instruments: None, bytes: None, app: None }
    }

    /// Makes the component part of an app: requests to components of the app never go to the network.
    #[must_use]
    pub(crate) fn in_app(mut self) -> Self {
        self.app = Some(AppLink::default());
        self
    }

    /// Returns whether the component is part of an app.
    pub(crate) fn is_in_app(&self) -> bool {
        self.app.is_some()
    }

    /// Lets the stores of the component reach the components of `chain`.
    pub(crate) fn connect_chain(&self, chain: Arc<Chain>) {
        if let Some(app) = &self.app {
            let _ = app.chain.set(chain);
        }
    }

    /// Sends the requests of calls at `depth`, that of one store.
    #[must_use]
    pub(crate) fn with_depth(mut self, depth: ChainDepth) -> Self {
        if let Some(app) = &mut self.app {
            app.depth = depth;
        }
        self
    }

    /// Records spans and metrics of outgoing requests in `telemetry`.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.instruments = telemetry.instruments();
        self.telemetry = telemetry;
        self
    }

    /// Reserves the bytes that running requests hold in `bytes`, the budget of one store.
    #[must_use]
    pub fn with_budget(mut self, bytes: &ByteBudget) -> Self {
        self.bytes = Some(bytes.clone());
        self
    }
}

impl Hooks {
    /// Returns where an outgoing request to `uri` goes.
    pub(super) fn destination(&self, uri: &Uri) -> Destination {
        match &self.app {
            Some(app) if Policy::names_component(uri) => Destination::Component(app.link()),
            _ => Destination::Network,
        }
    }

    /// Returns the destination of a request that middleware passes on.
    pub(super) fn next(&self, next: Handlers) -> Destination {
        self.app.as_ref().map_or(Destination::Nowhere, |app| Destination::Next(app.link(), next))
    }

    /// Begins to send `request`. Called while the guest is polled.
    pub(super) fn begin(
        &mut self,
        destination: Destination,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let client = self.client.clone();
        // The request is in memory already, so it does not wait for budget.
        let reserved = match self.bytes.as_ref().map(|bytes| bytes.try_reserve(held(&request))).transpose() {
            Ok(reserved) => reserved,
            Err(_) => return Box::new(ready(Err(Error::ConnectionLimitReached))),
        };
        // Started here: where the request is polled, another guest may be current.
        let telemetry = (&self.telemetry, self.instruments.as_ref());
        let span = ClientSpan::begin(telemetry, current().as_deref(), client.policy(), &mut request);
        Box::new(async move {
            let sent = match destination {
                Destination::Network => client.send_reserved(request, options, reserved).await,
                Destination::Component(link) => {
                    Box::pin(client.send_to_component(link, request, options, reserved)).await
                }
                Destination::Next(link, next) => {
                    Box::pin(client.send_to_next(link, next, request, options, reserved)).await
                }
                Destination::Nowhere => Err(Error::DestinationNotFound),
            };
            if let Some(span) = span {
                span.end(sent.as_ref().map(|(response, _)| response.status()));
            }
            let (response, transmission) = sent?;
            Ok((response, Box::new(transmission) as Box<_>))
        })
    }
}

impl AppLink {
    /// Returns the link of the call that runs now. Its depth is read here: the call may have ended when a request is polled.
    fn link(&self) -> ChainLink {
        ChainLink { chain: self.chain.get().cloned(), depth: self.depth.get() }
    }
}

impl WasiHttpHooks for Hooks {
    /// The client writes the `Host` field itself, from the host that the policy has checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // The component's result for the response is ignored: dropping an unread body closes its connection.
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let destination = self.destination(request.uri());
        self.begin(destination, request, options)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    // Wasmtime calls these for errors of bodies that hyper reads, including those of incoming requests. Its defaults
    // log a warning for each, which would let clients flood the log.
    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode02 {
        tracing::debug!(?error, "a body broke off");
        match response_error(error) {
            Error::ConnectionReadTimeout => ErrorCode02::ConnectionReadTimeout,
            Error::HttpResponseIncomplete => ErrorCode02::ConnectionTerminated,
            _ => ErrorCode02::HttpProtocolError,
        }
    }

    fn p3_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode03 {
        tracing::debug!(?error, "a body broke off");
        match response_error(error) {
            Error::ConnectionReadTimeout => ErrorCode03::ConnectionReadTimeout,
            Error::HttpResponseIncomplete => ErrorCode03::ConnectionTerminated,
            _ => ErrorCode03::HttpProtocolError,
        }
    }
}

/// Returns the bytes that a running request holds until its response has been read: its head, and its buffers.
fn held(request: &Request<WasiBody>) -> usize {
    /// Buffer of a response body, in bytes.
    const RESPONSE: usize = 32 << 10;
    let body = if request.body().is_end_stream() { 0 } else { P2_BODY_BYTES };
    let uri = request.uri();
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    [request.method().as_str().len(), path, authority, header_bytes(request.headers()), body]
        .into_iter()
        .fold(RESPONSE, usize::saturating_add)
}
