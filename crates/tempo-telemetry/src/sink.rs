//! `Sink` receives spans and OTLP records; `Telemetry` is the handle that services report through.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanKind};

use super::context::CallContext;
use super::metrics::Metrics;
use super::sampler::Sampler;
use super::span::{Span, SpanData};

/// The three OpenTelemetry signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
}

/// A guest's OTLP record: one encoded message of the OpenTelemetry protocol (`opentelemetry.proto`, 1.x) with its resource
/// and scope. It is within the guest's limits.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The type of `message`: a `Span`, a `Metric` or a `LogRecord`.
    pub signal: Signal,
    /// The attributes that the guest adds to the host's resource: an encoded `Resource`, often empty.
    pub resource: &'a [u8],
    /// The instrumentation library: an encoded `InstrumentationScope`, often empty.
    pub scope: &'a [u8],
    /// The schema URL of the scope, or the empty string.
    pub schema_url: &'a str,
    /// The encoded message.
    pub message: &'a [u8],
}

/// Receives finished host spans and guest OTLP records.
///
/// Called on the request path: implementations must not block.
pub trait Sink: Send + Sync + 'static {
    /// Returns false if records of `signal` are discarded; callers may then skip building them.
    fn enabled(&self, signal: Signal) -> bool;

    /// Receives a finished host span.
    fn span(&self, span: SpanData);

    /// Receives a guest's OTLP record.
    fn record(&self, record: Record<'_>);

    /// Returns whether the host sets the resource attribute `key` itself, so that guests must not.
    fn reserves(&self, key: &str) -> bool;
}

/// The parts of a [`Telemetry`].
pub struct TelemetryBuilder {
    /// Receives host spans and guest records.
    pub sink: Arc<dyn Sink>,
    /// Decides which host spans are recorded.
    pub sampler: Sampler,
    /// The instruments; `None` if metrics are disabled.
    pub metrics: Option<Metrics>,
}

/// The handle that services report through. Cheap to clone. Disabled by default; then every method returns at once.
#[derive(Clone, Default)]
pub struct Telemetry {
    inner: Option<Arc<TelemetryBuilder>>,
}

impl From<TelemetryBuilder> for Telemetry {
    fn from(builder: TelemetryBuilder) -> Self {
        Self { inner: Some(Arc::new(builder)) }
    }
}

impl Telemetry {
    /// Returns a disabled handle.
    pub const fn off() -> Self {
        Self { inner: None }
    }

    /// Returns whether telemetry is enabled.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// Returns the instruments, or `None` if metrics are disabled.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.inner.as_ref()?.metrics.as_ref()
    }

    /// Counts a hit of `limit`.
    pub fn count_limit_hit(&self, limit: &'static str) {
        if let Some(metrics) = self.metrics() {
            metrics.count_limit_hit(limit);
        }
    }

    /// Counts an instance that trapped or was interrupted.
    pub fn count_trap(&self) {
        if let Some(metrics) = self.metrics() {
            metrics.instances_trapped.add(1);
        }
    }

    /// Begins a span under `parent`, or a new trace. Returns `None` if traces are disabled. A span that is not sampled has
    /// ids to propagate and is not exported.
    pub fn start(
        &self,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<Span> {
        let inner = self.inner.as_ref().filter(|inner| inner.sink.enabled(Signal::Traces))?;
        Some(Span::start(&inner.sink, inner.sampler, kind, parent, name))
    }

    /// Begins a root span, and creates the context of the call under it.
    pub fn root(
        &self,
        kind: SpanKind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> (Option<Arc<CallContext>>, Option<Span>) {
        let span = self.start(kind, None, name);
        (span.as_ref().map(|span| CallContext::new(span.context().clone(), None)), span)
    }

    /// Returns false if guest records of `signal` are discarded; callers may then skip building them.
    pub fn enabled(&self, signal: Signal) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.sink.enabled(signal))
    }

    /// Returns whether the runtime's sampler records a guest span that is not of the call's trace.
    pub fn samples(&self, span: &SpanContext) -> bool {
        // Sampled as a root span: a guest must not force sampling with a parent of its choice.
        self.inner.as_ref().is_some_and(|inner| inner.sampler.samples(span.trace_id(), None))
    }

    /// Passes a guest's OTLP record to the sink.
    pub fn record(&self, record: Record<'_>) {
        if let Some(inner) = &self.inner {
            inner.sink.record(record);
        }
    }

    /// Returns whether the host sets the resource attribute `key` itself, so that guests must not.
    pub fn reserves(&self, key: &str) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.sink.reserves(key))
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("on", &self.is_on()).finish_non_exhaustive()
    }
}
