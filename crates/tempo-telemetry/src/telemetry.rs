//! `Telemetry`, the handle that services report through, and its builder.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanKind};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;

use crate::context::CallContext;
use crate::instruments::{COMPONENT_KEY, ComponentMeter, Instruments};
use crate::limit_hits::LimitHits;
use crate::record::{Origin, Record, Signal};
use crate::sampler::Sampler;
use crate::sink::Sink;
use crate::span::Span;

/// Configures a [`Telemetry`].
#[must_use]
pub struct TelemetryBuilder {
    target: Target,
    sampler: Sampler,
    meter: Option<ComponentMeter>,
}

/// Where the host's records go, and their scope.
pub(crate) struct Target {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) scope: InstrumentationScope,
}

/// The handle that services report through. Cheap to clone. Disabled by default; then every method returns at once.
#[derive(Clone, Default)]
pub struct Telemetry {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    target: Arc<Target>,
    sampler: Sampler,
    meter: Option<ComponentMeter>,
    /// The name of the component, if it is part of an app.
    component: Option<Arc<str>>,
}

impl TelemetryBuilder {
    /// Names the instrumentation scope of the host's spans: the name and version of the runtime. Default: empty.
    pub fn scope(mut self, scope: InstrumentationScope) -> Self {
        self.target.scope = scope;
        self
    }

    /// Decides which host spans are recorded. Default: all.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Enables metrics: services register their instruments with `meter`. Default: disabled.
    pub fn meter(mut self, meter: ComponentMeter) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Creates the handle.
    pub fn build(self) -> Telemetry {
        let Self { target, sampler, meter } = self;
        Telemetry { inner: Some(Arc::new(Inner { target: Arc::new(target), sampler, meter, component: None })) }
    }
}

impl Telemetry {
    /// Begins the configuration of a handle whose records go to `sink`.
    pub fn builder(sink: Arc<dyn Sink>) -> TelemetryBuilder {
        let target = Target { sink, scope: InstrumentationScope::default() };
        TelemetryBuilder { target, sampler: Sampler::AlwaysOn, meter: None }
    }

    /// Returns a disabled handle.
    pub const fn off() -> Self {
        Self { inner: None }
    }

    /// Returns the handle of the component `name` of an app: its spans and metrics name the component.
    #[must_use]
    pub fn in_app(&self, name: &str) -> Self {
        let inner = self.inner.as_ref().map(|inner| {
            let meter = inner.meter.as_ref().map(|meter| meter.in_app(name));
            let (target, sampler) = (inner.target.clone(), inner.sampler);
            Arc::new(Inner { target, sampler, meter, component: Some(name.into()) })
        });
        Self { inner }
    }

    /// Returns the name of the component if it is part of an app.
    pub fn component(&self) -> Option<&str> {
        self.inner.as_ref().and_then(|inner| inner.component.as_deref())
    }

    /// Returns the attribute that names the component if it is part of an app: see [`ComponentMeter::labels`].
    pub fn labels(&self) -> &[KeyValue] {
        self.inner.as_ref().and_then(|inner| inner.meter.as_ref()).map_or(&[], ComponentMeter::labels)
    }

    /// Returns whether telemetry is enabled.
    pub fn is_on(&self) -> bool {
        self.inner.is_some()
    }

    /// Returns the instruments `I`, which are created at the first call, or `None` if metrics are disabled. Looks them up
    /// under a lock: a service keeps them.
    pub fn instruments<I: Instruments>(&self) -> Option<Arc<I>> {
        Some(self.inner.as_ref()?.meter.as_ref()?.instruments())
    }

    /// Counts a hit of `limit`, the name of its flag.
    pub fn count_limit_hit(&self, limit: &'static str) {
        if let Some(hits) = self.instruments::<LimitHits>() {
            hits.count(limit);
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
        let inner = self.inner.as_ref().filter(|inner| inner.target.sink.enabled(Signal::Traces))?;
        let mut span = Span::start(&inner.target, inner.sampler, kind, parent, name);
        if let Some(component) = &inner.component {
            span.set(COMPONENT_KEY, component.clone());
        }
        Some(span)
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

    /// Returns false if records of `signal` are discarded; callers may then skip building them.
    pub fn enabled(&self, signal: Signal) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.target.sink.enabled(signal))
    }

    /// Returns whether the runtime's sampler records a guest span that is not of the call's trace.
    pub fn samples(&self, span: &SpanContext) -> bool {
        // Sampled as a root span: a guest must not force sampling with a parent of its choice.
        self.inner.as_ref().is_some_and(|inner| inner.sampler.samples(span.trace_id(), None))
    }

    /// Passes a record to the sink.
    pub fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        if let Some(inner) = &self.inner {
            inner.target.sink.record(origin, record);
        }
    }

    /// Returns whether the host sets the resource attribute `key` itself, so that guests must not.
    pub fn reserves(&self, key: &str) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.target.sink.reserves(key))
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("on", &self.is_on()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryBuilder")
            .field("scope", &self.target.scope)
            .field("sampler", &self.sampler)
            .field("meter", &self.meter)
            .finish_non_exhaustive()
    }
}
