//! Server span, metrics, and call context of a request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, StatusCode, Version, header};
use opentelemetry::metrics::BoundUpDownCounter;
use opentelemetry::trace::{SpanContext, SpanKind};
use tempo_telemetry::{CallContext, Span};

use super::metrics::RequestMetrics;
use super::reply::Refusal;
use crate::telemetry::{header as value_of, known_method, known_status, remote};

/// Drop guard of a request: ends the server span and records the duration when the response body is dropped.
pub(crate) struct RequestSpan {
    metrics: Arc<RequestMetrics>,
    active: Option<BoundUpDownCounter<i64>>,
    span: Option<Span>,
    begun: Instant,
    method: &'static str,
    scheme: &'static str,
    status: Option<&'static str>,
    error: Option<&'static str>,
}

/// Starts the span of `request` and creates the context of its call. The trace headers that the guest receives name this
/// span: a guest that forwards them stays in the trace.
pub(crate) fn begin<B>(
    metrics: &Arc<RequestMetrics>,
    scheme: &Scheme,
    request: &mut Request<B>,
) -> (Option<Arc<CallContext>>, Option<RequestSpan>) {
    let remote = remote(request.headers());
    let method = known_method(request.method());
    let scheme = if *scheme == Scheme::HTTPS { "https" } else { "http" };
    let mut span = metrics.telemetry.start(SpanKind::Server, remote.span.as_ref(), || Cow::Borrowed(method));
    let Some(own) = &mut span else {
        // The client's context is propagated nevertheless.
        let context =
            (!remote.is_empty()).then(|| CallContext::new(remote.span.unwrap_or(SpanContext::NONE), remote.baggage));
        return (context, RequestSpan::begin(metrics, None, method, scheme));
    };
    describe(own, method, scheme, request);
    // If the trace starts here and is not sampled, the guest gets no headers: outgoing requests are unsampled without
    // them, and an added header is the largest cost of an unsampled request.
    let injects = own.context().is_sampled() || !remote.is_empty();
    let context = CallContext::new(own.context().clone(), remote.baggage);
    if injects {
        context.inject(context.outer(), |name, value| {
            if let Ok(value) = HeaderValue::try_from(value) {
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
        });
    }
    (Some(context), RequestSpan::begin(metrics, span, method, scheme))
}

/// Sets the attributes of a sampled span. Query and headers are left out: they may contain secrets.
fn describe<B>(span: &mut Span, method: &'static str, scheme: &'static str, request: &Request<B>) {
    if span.data().is_none() {
        return;
    }
    span.set("http.request.method", method);
    span.set("url.scheme", scheme);
    span.set("url.path", request.uri().path().to_owned());
    span.set("network.protocol.version", if request.version() == Version::HTTP_2 { "2" } else { "1.1" });
    if method == "_OTHER" {
        span.set("http.request.method_original", request.method().as_str().to_owned());
    }
    let host = request.uri().authority().map(http::uri::Authority::as_str);
    let Some(host) = host.or_else(|| value_of(request.headers(), header::HOST.as_str())) else { return };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse::<u16>().ok()),
        _ => (host, None),
    };
    span.set("server.address", name.to_owned());
    if let Some(port) = port {
        span.set("server.port", i64::from(port));
    }
}

impl RequestSpan {
    /// Returns `None` if telemetry is off.
    fn begin(
        metrics: &Arc<RequestMetrics>,
        span: Option<Span>,
        method: &'static str,
        scheme: &'static str,
    ) -> Option<Self> {
        if !metrics.telemetry.is_on() {
            return None;
        }
        let active = metrics.active([method, scheme]);
        if let Some(active) = &active {
            active.add(1);
        }
        let (metrics, begun) = (metrics.clone(), Instant::now());
        Some(Self { metrics, active, span, begun, method, scheme, status: None, error: None })
    }

    /// Records the status of the response, and the refusal if the server sent one.
    pub(crate) fn answered(&mut self, status: StatusCode, refusal: Option<Refusal>) {
        self.status = Some(known_status(status));
        self.error = match refusal {
            Some(refusal) => Some(refusal.name()),
            None => status.is_server_error().then(|| known_status(status)),
        };
        if let Some(span) = &mut self.span {
            span.set("http.response.status_code", i64::from(status.as_u16()));
        }
    }

    /// Records that the response body failed.
    pub(crate) fn broke_off(&mut self) {
        self.error = Some("broke_off");
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if self.status.is_none() {
            // The client disconnected before the response.
            self.error.get_or_insert("client_gone");
        }
        if let (Some(span), Some(error)) = (&mut self.span, self.error) {
            span.fail(error);
        }
        if let Some(active) = &self.active {
            active.add(-1);
        }
        let values = [self.method, self.scheme, self.status.unwrap_or_default(), self.error.unwrap_or_default()];
        self.metrics.record(self.begun.elapsed(), values);
    }
}
