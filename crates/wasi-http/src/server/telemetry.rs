//! What is told of a request to the component: its span, its duration, and the context of the call that it causes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, Response, Version, header};
use opentelemetry::metrics::BoundUpDownCounter;
use opentelemetry::trace::{SpanContext, SpanKind};
use tempo_telemetry::{CallContext, Span};

use super::measured::Measured;
use super::reply::Refusal;
use crate::telemetry::{header as value_of, known_method, known_status, remote};

/// A request under way. It has ended when this is dropped, which the body of its response does.
pub(crate) struct Told {
    measured: Arc<Measured>,
    active: Option<BoundUpDownCounter<i64>>,
    span: Option<Span>,
    begun: Instant,
    method: &'static str,
    scheme: &'static str,
    status: Option<&'static str>,
    error: Option<&'static str>,
}

/// Begins to tell of `request`, and makes the context of the call that it causes. A guest that hands on the headers that
/// it was handed stays in the trace: they name the span of the request.
pub(crate) fn begin<B>(
    measured: &Arc<Measured>,
    scheme: &Scheme,
    request: &mut Request<B>,
) -> (Option<Arc<CallContext>>, Option<Told>) {
    let remote = remote(request.headers());
    let method = known_method(request.method());
    let scheme = if *scheme == Scheme::HTTPS { "https" } else { "http" };
    let mut span = measured.telemetry.start(SpanKind::Server, remote.span.as_ref(), || Cow::Borrowed(method));
    let Some(own) = &mut span else {
        // What the client said is handed on nevertheless.
        let context =
            (!remote.is_empty()).then(|| CallContext::new(remote.span.unwrap_or(SpanContext::NONE), remote.baggage));
        return (context, Told::begin(measured, None, method, scheme));
    };
    describe(own, method, scheme, request);
    // Of a trace that begins here and is not recorded, the guest need not know: what it asks of others says so without it,
    // and a header more is what costs the most of a request that is not sampled.
    let is_told = own.context().is_sampled() || !remote.is_empty();
    let context = CallContext::new(own.context().clone(), remote.baggage);
    if is_told {
        context.inject(context.outer(), |name, value| {
            if let Ok(value) = HeaderValue::try_from(value) {
                request.headers_mut().insert(HeaderName::from_static(name), value);
            }
        });
    }
    (Some(context), Told::begin(measured, span, method, scheme))
}

/// Neither query nor headers: they may be secrets of the client.
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

impl Told {
    /// Nothing, if nobody wants to be told.
    fn begin(measured: &Arc<Measured>, span: Option<Span>, method: &'static str, scheme: &'static str) -> Option<Self> {
        if !measured.telemetry.is_on() {
            return None;
        }
        let active = measured.active([method, scheme]);
        if let Some(active) = &active {
            active.add(1);
        }
        let (measured, begun) = (measured.clone(), Instant::now());
        Some(Self { measured, active, span, begun, method, scheme, status: None, error: None })
    }

    /// Takes note of the answer, which the server gave itself if there is a refusal with it.
    pub(crate) fn answered<B>(&mut self, response: &Response<B>) {
        let status = response.status();
        self.status = Some(known_status(status));
        self.error = match response.extensions().get::<Refusal>() {
            Some(refusal) => Some(refusal.name()),
            None => status.is_server_error().then(|| known_status(status)),
        };
        if let Some(span) = &mut self.span {
            span.set("http.response.status_code", i64::from(status.as_u16()));
        }
    }

    /// Takes note that the response broke off.
    pub(crate) fn broke_off(&mut self) {
        self.error = Some("broke_off");
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.status.is_none() {
            // The client went away before there was an answer.
            self.error.get_or_insert("client_gone");
        }
        if let (Some(span), Some(error)) = (&mut self.span, self.error) {
            span.fail(error);
        }
        if let Some(active) = &self.active {
            active.add(-1);
        }
        let words = [self.method, self.scheme, self.status.unwrap_or_default(), self.error.unwrap_or_default()];
        self.measured.took(self.begun.elapsed(), words);
    }
}
