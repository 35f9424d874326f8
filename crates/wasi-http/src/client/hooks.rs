//! Puts a [`Client`] behind `wasi:http` 0.2 and 0.3.

use std::future::ready;

use http::{Request, Response};
use http_body::Body as _;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode02;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode03;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use tempo_backend::ByteBudget;
use tempo_telemetry::{Telemetry, current};

use super::error::response_error;
use super::send::Client;
use super::telemetry::Asked;
use crate::held::{BODY, CHUNK, header_bytes};

type Outcome = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The `hooks` of a [`WasiHttpCtxView`](wasmtime_wasi_http::WasiHttpCtxView): outgoing requests go through a [`Client`].
#[derive(Clone)]
pub struct Hooks {
    client: Client,
    telemetry: Telemetry,
    bytes: Option<ByteBudget>,
}

impl Hooks {
    /// Sends through `client`, under its policy.
    pub fn new(client: Client) -> Self {
        Self { client, telemetry: Telemetry::off(), bytes: None }
    }

    /// The same, telling `telemetry` what is sent.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// The same for one store, whose requests under way reserve in `bytes` what they hold.
    #[must_use]
    pub fn with_budget(mut self, bytes: &ByteBudget) -> Self {
        self.bytes = Some(bytes.clone());
        self
    }
}

impl WasiHttpHooks for Hooks {
    /// The client writes the one `Host` field, from the host that the policy has judged.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // What a component thinks of the response concerns nobody here: an unread body ends its connection by being dropped.
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Outcome> + Send> {
        let client = self.client.clone();
        // The request is in memory already, so it does not wait for others.
        let reserved = match self.bytes.as_ref().map(|bytes| bytes.try_reserve(held(&request))).transpose() {
            Ok(reserved) => reserved,
            Err(_) => return Box::new(ready(Err(Error::ConnectionLimitReached))),
        };
        // Here, as the guest may not be the current one any more where the request is polled.
        let asked = Asked::begin(&self.telemetry, current().as_deref(), client.policy(), &mut request);
        Box::new(async move {
            let sent = client.send_reserved(request, options, reserved).await;
            if let Some(asked) = asked {
                asked.end(sent.as_ref().map(|(response, _)| response.status()));
            }
            let (response, transmission) = sent?;
            Ok((response, Box::new(transmission) as Box<_>))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    // Wasmtime asks these for the errors of bodies that hyper reads, which are those of incoming requests too. Its own
    // answers log a warning for each, which would hand the log to whoever sends broken requests.
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

/// What a request under way holds until its response has been read: its head, what is sent and read ahead, in bytes.
fn held(request: &Request<WasiBody>) -> usize {
    /// What is read of a response before the guest reads it, in bytes.
    const RESPONSE: usize = 32 << 10;
    let body = if request.body().is_end_stream() { 0 } else { BODY };
    let uri = request.uri();
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    [request.method().as_str().len(), path, authority, header_bytes(request.headers()), body]
        .into_iter()
        .fold(RESPONSE, usize::saturating_add)
}
