//! Client span, metrics, and propagated headers of an outgoing request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, UpDownCounter};
use opentelemetry::trace::SpanKind;
use tempo_telemetry::{CallContext, ComponentMeter, Instruments, Span, Telemetry};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::egress::Policy;
use crate::telemetry::{known_method, known_status, remote};

/// The instruments of outgoing requests of the component.
pub(super) struct ClientInstruments {
    /// Time to the head of the response.
    duration: Histogram<f64>,
    /// Requests that wait for the head of their response.
    active: UpDownCounter<i64>,
    /// Names the component of an app.
    labels: Vec<KeyValue>,
}

impl Instruments for ClientInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        let active = "Requests whose response has not begun";
        Self {
            duration: meter.seconds("http.client.request.duration", "Duration of HTTP client requests"),
            active: meter.up_down_counter("http.client.active_requests", "{request}", active),
            labels: meter.labels().to_vec(),
        }
    }
}

/// Drop guard of an outgoing request. If dropped before [`end`](ClientSpan::end), the request was cancelled.
pub(super) struct ClientSpan {
    instruments: Option<Arc<ClientInstruments>>,
    span: Option<Span>,
    begun: Instant,
    method: &'static str,
    /// The host as granted: under a wildcard grant, guests must not create attribute values.
    granted: String,
    status: Option<StatusCode>,
    error: Option<&'static str>,
}

impl ClientSpan {
    /// Starts the span of `request` and sets its trace headers.
    pub(super) fn begin(
        (telemetry, instruments): (&Telemetry, Option<&Arc<ClientInstruments>>),
        context: Option<&CallContext>,
        policy: &Policy,
        request: &mut Request<WasiBody>,
    ) -> Option<Self> {
        let method = known_method(request.method());
        let mut span = None;
        if let Some(context) = context {
            let remote = remote(request.headers());
            let outgoing = telemetry.outgoing(SpanKind::Client, context, &remote, || Cow::Borrowed(method));
            set(request.headers_mut(), outgoing.headers);
            span = outgoing.span;
        }
        if let Some(span) = &mut span {
            describe(span, method, request.uri());
        }
        if instruments.is_none() && span.is_none() {
            return None;
        }
        let guard = Self {
            instruments: instruments.cloned(),
            span,
            begun: Instant::now(),
            method,
            granted: policy.granted_host(request.uri()).unwrap_or_default(),
            status: None,
            error: Some("cancelled"),
        };
        if let Some(instruments) = guard.instruments.as_deref() {
            instruments.active.add(1, &guard.request(guard.granted.clone(), instruments));
        }
        Some(guard)
    }

    /// Records the outcome: the status of the response, or the error.
    pub(super) fn end(mut self, result: Result<StatusCode, &Error>) {
        (self.status, self.error) = match result {
            Ok(status) if status.as_u16() >= 400 => (Some(status), Some(known_status(status))),
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error_type(error))),
        };
    }

    fn request(&self, granted: String, instruments: &ClientInstruments) -> Vec<KeyValue> {
        let own = [KeyValue::new("http.request.method", self.method), KeyValue::new("server.address", granted)];
        [&own, &instruments.labels[..]].concat()
    }
}

impl Drop for ClientSpan {
    fn drop(&mut self) {
        if let Some(span) = &mut self.span {
            if let Some(status) = self.status {
                span.set("http.response.status_code", i64::from(status.as_u16()));
            }
            if let Some(error) = self.error {
                span.fail(error);
            }
        }
        let Some(instruments) = self.instruments.clone() else { return };
        let granted = std::mem::take(&mut self.granted);
        let mut attributes = self.request(granted, &instruments);
        instruments.active.add(-1, &attributes);
        attributes.extend(self.status.map(|status| KeyValue::new("http.response.status_code", known_status(status))));
        attributes.extend(self.error.map(|error| KeyValue::new("error.type", error)));
        instruments.duration.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}

/// Sets the attributes of a sampled span. Path, query and user are left out: they may contain secrets.
fn describe(span: &mut Span, method: &'static str, uri: &Uri) {
    if span.data().is_none() {
        return;
    }
    span.set("http.request.method", method);
    let scheme = uri.scheme_str().unwrap_or("http").to_owned();
    if let Some(host) = uri.host() {
        let default = if scheme == "https" { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        span.set("url.full", format!("{scheme}://{host}:{port}/"));
        span.set("server.address", host.to_owned());
        span.set("server.port", i64::from(port));
    }
}

fn set(headers: &mut HeaderMap, values: Vec<(&'static str, String)>) {
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Returns the `error.type` of a request without a response, one for each group of errors.
fn error_type(error: &Error) -> &'static str {
    match error {
        Error::HttpRequestDenied | Error::DestinationIpProhibited | Error::DestinationNotFound => "denied",
        Error::DnsTimeout | Error::DnsError { .. } | Error::DestinationUnavailable => "dns",
        Error::ConnectionTimeout
        | Error::ConnectionReadTimeout
        | Error::ConnectionWriteTimeout
        | Error::HttpResponseTimeout => "timeout",
        Error::ConnectionLimitReached => "limit",
        Error::ConnectionRefused | Error::ConnectionTerminated => "connection",
        Error::TlsProtocolError | Error::TlsCertificateError | Error::TlsAlertReceived { .. } => "tls",
        _ => "_OTHER",
    }
}
