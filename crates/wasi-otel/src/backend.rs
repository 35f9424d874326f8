//! What a backend of `wasi:otel` implements, and what a store carries of it.

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

use crate::OtelView;
use crate::limits::Budgets;

/// Where something that a guest tells belongs.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What the guest says of itself; empty if it says nothing. What the collector [reserves](Collector::reserves) is not
    /// in it.
    pub resource: &'a Resource,
    /// The library that made it.
    pub scope: &'a InstrumentationScope,
    /// The schema by which the scope names things; often empty.
    pub schema_url: &'a str,
}

/// Why something that a guest told was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// There were too many in a short time.
    Rate,
    /// There were too many in one call.
    Count,
    /// It was too large.
    Size,
    /// There were too many series of metrics, or too many resources.
    Cardinality,
    /// An id or a number in it was not valid.
    Invalid,
}

/// Takes what guests tell. Called while the guest waits, so it must not block: one that sends over a network puts what it
/// is given into a bounded queue.
///
/// Sizes, counts and rates are within the limits, and every id is valid.
pub trait Collector: Send + Sync + 'static {
    /// Whether anything becomes of what is told of this kind. If not, it is not even looked at.
    fn enabled(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Whether the host says itself what `key` is in the resource, so that no guest may.
    fn reserves(&self, key: &str) -> bool {
        let _ = key;
        false
    }

    /// Whether a span is told that its guest has sampled, and that is not of the trace of the host's call.
    fn samples(&self, span: &SpanContext) -> bool {
        let _ = span;
        true
    }

    /// Takes a span that has ended.
    fn span(&self, origin: Origin<'_>, span: Span);

    /// Takes the points of one instrument.
    fn metric(&self, origin: Origin<'_>, metric: Metric);

    /// Takes a log record.
    fn log(&self, origin: Origin<'_>, record: LogRecord);

    /// Takes note that `count` spans, points or log records were dropped. What is left out of a message that is told, the
    /// message counts itself.
    fn dropped(&self, signal: Signal, why: Dropped, count: u64) {
        let _ = (signal, why, count);
    }
}

/// What a store carries for the service. Clones share the collector and the component's limits.
#[derive(Clone)]
pub struct OtelState {
    pub(crate) collector: Arc<dyn Collector>,
    pub(crate) budgets: Arc<Budgets>,
}

impl OtelState {
    /// What a component tells goes to `collector`, as much of it as its limits allow. Of `limits`, those of log lines
    /// count.
    pub fn new(collector: Arc<dyn Collector>, limits: &Limits) -> Self {
        Self { collector, budgets: Arc::new(Budgets::new(limits)) }
    }

    /// What host functions work on during a call.
    pub fn view(&self) -> OtelView<'_> {
        OtelView { collector: &*self.collector, budgets: &self.budgets }
    }
}

impl fmt::Debug for OtelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelState").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}
