//! The conformance suite of [`Collector`]s: a guest's telemetry arrives as it was recorded.
//!
//! Call [`run`] from a test, with a function that returns the received items. [`Recorder`] is a collector that stores
//! them.

mod expected;
mod given;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_core::Limits;
use tempo_telemetry::{CallContext, Signal, within};

use crate::bindings::wasi::otel::logs::Host as _;
use crate::bindings::wasi::otel::metrics::Host as _;
use crate::bindings::wasi::otel::tracing::Host as _;
use crate::{Collector, Dropped, Origin, OtelCtx};

/// A received item with its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Received<M> {
    /// The guest's resource attributes, possibly with the host's.
    pub resource: Resource,
    /// The instrumentation scope.
    pub scope: InstrumentationScope,
    /// The schema URL of the scope.
    pub schema_url: String,
    /// The message itself.
    pub message: M,
}

/// All received items, in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrived {
    /// Spans.
    pub spans: Vec<Received<Span>>,
    /// Instruments with their points.
    pub metrics: Vec<Received<Metric>>,
    /// Log records.
    pub logs: Vec<Received<LogRecord>>,
    /// The dropped items, with reason and number.
    pub dropped: Vec<(Signal, Dropped, u64)>,
}

/// A collector that stores all items.
#[derive(Debug, Default)]
pub struct Recorder {
    arrived: Mutex<Arrived>,
}

impl Recorder {
    /// Returns the items received since the last call.
    pub fn take(&self) -> Arrived {
        std::mem::take(&mut *self.arrived())
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Received<M> {
    fn new(origin: Origin<'_>, message: M) -> Self {
        let Origin { resource, scope, schema_url } = origin;
        Self { resource: resource.clone(), scope: scope.clone(), schema_url: schema_url.to_owned(), message }
    }
}

impl Collector for Recorder {
    fn span(&self, origin: Origin<'_>, span: Span) {
        self.arrived().spans.push(Received::new(origin, span));
    }

    fn metric(&self, origin: Origin<'_>, metric: Metric) {
        self.arrived().metrics.push(Received::new(origin, metric));
    }

    fn log(&self, origin: Origin<'_>, record: LogRecord) {
        self.arrived().logs.push(Received::new(origin, record));
    }

    fn dropped(&self, signal: Signal, why: Dropped, count: u64) {
        self.arrived().dropped.push((signal, why, count));
    }
}

/// Sends items of every kind to `collector` and compares them with those that `arrived` returns afterwards: at least
/// these, each in a resource that has the guest's attributes.
///
/// # Errors
///
/// The first message that is missing or differs.
pub fn run(collector: Arc<dyn Collector>, arrived: impl FnOnce() -> Arrived) -> Result<()> {
    // A unique trace, as a receiver may have others.
    let (trace, outer) = (TraceId::from(random()), SpanId::from(random() as u64 | 1));
    let outer = SpanContext::new(trace, outer, TraceFlags::SAMPLED, false, TraceState::NONE);
    let state = OtelCtx::new(collector, &Limits::default());
    let call = CallContext::new(outer.clone(), None);
    within(Some(&call), || record_items(&state))?;
    check(&outer, &arrived())
}

/// Compares the received items with those of the suite's guest in a call under `outer`.
///
/// # Errors
///
/// The first message that is missing or differs.
pub fn check(outer: &SpanContext, arrived: &Arrived) -> Result<()> {
    for span in expected::spans(outer) {
        find("span", &span, &arrived.spans, |span| span.name.clone())?;
    }
    for metric in expected::metrics(outer) {
        find("metric", &metric, &arrived.metrics, |metric| metric.name.clone())?;
    }
    for record in expected::logs(outer) {
        find("log record", &record, &arrived.logs, |record| record.event_name.clone())?;
    }
    Ok(())
}

/// The guest's calls.
fn record_items(state: &OtelCtx) -> Result<()> {
    let outer = state.view().outer_span_context();
    for span in given::spans(&outer) {
        state.view().on_start(span.span_context.clone());
        let current = state.view().current_span_context();
        ensure!(current.span_id == span.span_context.span_id, "the span that was opened is not the current one");
        state.view().on_end(span);
        let current = state.view().current_span_context();
        ensure!(current.span_id == outer.span_id, "the span that was closed is still the current one");
    }
    state.view().export(given::metrics(&outer)).map_err(anyhow::Error::msg).context("export")?;
    given::logs(&outer).into_iter().for_each(|record| state.view().on_emit(record));
    Ok(())
}

fn find<M: Clone + PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &Received<M>,
    arrived: &[Received<M>],
    name: impl Fn(&M) -> String,
) -> Result<()> {
    let own = name(&expected.message);
    let found = arrived.iter().find(|received| name(&received.message) == own);
    let found = found.with_context(|| format!("the {what} {own} has not arrived"))?;
    let Received { resource, scope, schema_url, message } = found;
    ensure!(*message == expected.message, "{what} {own}: {message:?} is not {:?}", expected.message);
    ensure!(*scope == expected.scope && *schema_url == expected.schema_url, "{what} {own}: another scope: {scope:?}");
    for attribute in &expected.resource.attributes {
        ensure!(resource.attributes.contains(attribute), "{what} {own}: the resource lacks {attribute:?}");
    }
    Ok(())
}

/// Creates a unique number without a random number generator.
fn random() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let half = || u128::from(RandomState::new().hash_one(()));
    (half() << 64 | half()) | 1
}
