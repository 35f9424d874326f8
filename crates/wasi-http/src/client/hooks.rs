//! Puts a [`Client`] behind `wasi:http` 0.2 and 0.3.

use super::error::response_error;
use super::send::Client;
use super::telemetry::Asked;
use http::{Request, Response};
use tempo_core::telemetry::{Telemetry, current};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as ErrorCode02;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as ErrorCode03;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

type Outcome = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The `hooks` of a [`WasiHttpCtxView`](wasmtime_wasi_http::WasiHttpCtxView): outgoing requests go through a [`Client`].
#[derive(Clone)]
pub struct Hooks {
    client: Client,
    telemetry: Telemetry,
}

impl Hooks {
    /// Sends through `client`, under its policy.
    pub fn new(client: Client) -> Self {
        Self { client, telemetry: Telemetry::off() }
    }

    /// The same, telling `telemetry` what is sent.
    #[must_use]
    pub fn told_to(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
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
        // Here, as the guest may not be the current one any more where the request is polled.
        let asked = Asked::begin(&self.telemetry, current().as_deref(), client.policy(), &mut request);
        Box::new(async move {
            let sent = client.send(request, options).await;
            if let Some(asked) = asked {
                asked.end(sent.as_ref().map(|(response, _)| response.status()));
            }
            let (response, transmission) = sent?;
            Ok((response, Box::new(transmission) as Box<_>))
        })
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
