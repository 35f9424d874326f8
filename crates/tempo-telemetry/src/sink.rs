//! Where everything that is told goes, and the handle of those who tell it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanKind};

use super::context::CallContext;
use super::metrics::Metrics;
use super::sampler::Sampler;
use super::span::{Span, SpanData};

/// The kinds of what is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Measurements.
    Metrics,
    /// Log records.
    Logs,
}

/// Something that a guest tells: one message of the OpenTelemetry protocol (`opentelemetry.proto`, 1.x), encoded, with the
/// messages that say where it belongs. It is within the guest's limits already.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it is: a `Span`, a `Metric` or a `LogRecord`.
    pub signal: Signal,
    /// The attributes that the guest adds to the host's resource: an encoded `Resource`, often empty.
    pub resource: &'a [u8],
    /// The library that made it: an encoded `InstrumentationScope`, often empty.
    pub scope: &'a [u8],
    /// The schema of the scope, or nothing.
    pub schema_url: &'a str,
    /// The message itself.
    pub message: &'a [u8],
}

/// Takes what is told. Called while a guest or a client waits, so it must not block.
pub trait Sink: Send + Sync + 'static {
    /// Whether anything becomes of what is told of this kind.
    fn wants(&self, signal: Signal) -> bool;

    /// Takes a span of the host that has ended.
    fn span(&self, span: SpanData);

    /// Takes what a guest tells.
    fn record(&self, record: Record<'_>);

    /// Whether the host says itself what `key` is in the resource, so that no guest may.
    fn reserves(&self, key: &str) -> bool;
}

/// What a runtime says to make a [`Telemetry`].
pub struct TelemetryBuilder {
    /// Takes spans and what guests tell.
    pub sink: Arc<dyn Sink>,
    /// Which spans the sink is given.
    pub sampler: Sampler,
    /// Counts and measures, if anybody reads it.
    pub metrics: Option<Metrics>,
}

/// The handle of whoever has something to tell. Cheap to clone; off by default, and then close to free.
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
    /// One that nobody listens to.
    pub const fn off() -> Self {
        Self { inner: None }
    }

    /// Whether somebody listens.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// The instruments, if anybody reads them.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.inner.as_ref()?.metrics.as_ref()
    }

    /// Counts that `limit` stopped something.
    pub fn hit(&self, limit: &'static str) {
        if let Some(metrics) = self.metrics() {
            metrics.hit(limit);
        }
    }

    /// Counts an instance that trapped or was stopped.
    pub fn trapped(&self) {
        if let Some(metrics) = self.metrics() {
            metrics.instances_trapped.add(1);
        }
    }

    /// Begins a span under `parent`, or a new trace. `None` if nobody wants traces; a span that is not sampled has its ids,
    /// for those who are called, and is told to nobody.
    pub fn start(
        &self,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<Span> {
        let inner = self.inner.as_ref().filter(|inner| inner.sink.wants(Signal::Traces))?;
        Some(Span::start(&inner.sink, inner.sampler, kind, parent, name))
    }

    /// Begins a span that has no parent, and makes the context of the call under it.
    pub fn root(
        &self,
        kind: SpanKind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> (Option<Arc<CallContext>>, Option<Span>) {
        let span = self.start(kind, None, name);
        (span.as_ref().map(|span| CallContext::new(span.context().clone(), None)), span)
    }

    /// Whether anything becomes of what guests tell of this kind.
    pub fn wants(&self, signal: Signal) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.sink.wants(signal))
    }

    /// Whether a span of a guest outside of the call's own trace is to be told, by the runtime's sampler.
    pub fn samples(&self, span: &SpanContext) -> bool {
        // As a new trace: what a guest says of a parent is no reason to tell all of it.
        self.inner.as_ref().is_some_and(|inner| inner.sampler.samples(span.trace_id(), None))
    }

    /// Tells what a guest has told.
    pub fn record(&self, record: Record<'_>) {
        if let Some(inner) = &self.inner {
            inner.sink.record(record);
        }
    }

    /// Whether the host says itself what `key` is in the resource, so that no guest may.
    pub fn reserves(&self, key: &str) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.sink.reserves(key))
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("on", &self.is_on()).finish_non_exhaustive()
    }
}
