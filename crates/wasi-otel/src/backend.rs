//! `Collector`, the trait of backends of `wasi:otel`, and the state of a store.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_core::Limits;
use tempo_telemetry::Signal;

use crate::limits::Budgets;
use crate::{OtelCtxBuilder, OtelView};

/// The origin of a guest's item.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The guest's resource attributes, possibly empty, without the keys that the collector
    /// [reserves](Collector::reserves).
    pub resource: &'a Resource,
    /// The instrumentation scope.
    pub scope: &'a InstrumentationScope,
    /// The schema URL of the scope, often empty.
    pub schema_url: &'a str,
}

/// Why a guest's item was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// The rate limit was exceeded.
    Rate,
    /// The limit per call was exceeded.
    Count,
    /// The item is too large.
    Size,
    /// The limit on metric series or resources was exceeded.
    Cardinality,
    /// The item contains an invalid ID or number.
    Invalid,
}

/// Receives the telemetry of guests. Called while the guest waits: implementations must not block. A collector that
/// sends over a network uses a bounded queue.
///
/// Sizes, counts and rates are within the limits, and all IDs are valid.
pub trait Collector: Send + Sync + 'static {
    /// Returns false if items of `signal` are discarded; they are then not decoded.
    fn enabled(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Returns whether the host sets the resource attribute `key`, so that guests may not.
    fn reserves(&self, key: &str) -> bool {
        let _ = key;
        false
    }

    /// Returns whether to record a span that its guest has sampled and that is not in the trace of the host's call.
    fn samples(&self, span: &SpanContext) -> bool {
        let _ = span;
        true
    }

    /// Receives a finished span.
    fn span(&self, origin: Origin<'_>, span: Span);

    /// Receives the points of one instrument.
    fn metric(&self, origin: Origin<'_>, metric: Metric);

    /// Receives a log record.
    fn log(&self, origin: Origin<'_>, record: LogRecord);

    /// Reports that `count` spans, points or log records were dropped. Parts left out of a received item are counted in
    /// the item.
    fn dropped(&self, signal: Signal, why: Dropped, count: u64) {
        let _ = (signal, why, count);
    }
}

/// The state of a store. Clones share the collector and the component's limits.
#[derive(Clone)]
pub struct OtelCtx {
    pub(crate) collector: Arc<dyn Collector>,
    pub(crate) budgets: Arc<Budgets>,
}

impl OtelCtx {
    /// Returns a builder of a context that discards everything, with the default limits.
    pub fn builder() -> OtelCtxBuilder {
        OtelCtxBuilder::new()
    }

    /// Creates the state of a component, whose telemetry goes to `collector` within the limits; `limits` has those of
    /// log lines.
    pub fn new(collector: Arc<dyn Collector>, limits: &Limits) -> Self {
        Self { collector, budgets: Arc::new(Budgets::new(limits)) }
    }

    /// Returns the view that host functions use during a call.
    pub fn view(&self) -> OtelView<'_> {
        OtelView { collector: &*self.collector, budgets: &self.budgets }
    }
}

impl fmt::Debug for OtelCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelCtx").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}
