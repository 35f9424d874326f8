//! The suite that every [`Collector`] must pass, with whatever is behind it: what a guest tells arrives as it was told.
//!
//! Call [`run`] from a test, with a function that reads what has arrived. [`Recorder`] is a collector that keeps all.

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
use crate::{Collector, Dropped, Origin, OtelState};

/// A message, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Told<M> {
    /// What the guest said of itself, perhaps with what the host says.
    pub resource: Resource,
    /// The library that made it.
    pub scope: InstrumentationScope,
    /// The schema of the scope.
    pub schema_url: String,
    /// The message itself.
    pub message: M,
}

/// All that has arrived, in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrived {
    /// Spans.
    pub spans: Vec<Told<Span>>,
    /// Instruments with their points.
    pub metrics: Vec<Told<Metric>>,
    /// Log records.
    pub logs: Vec<Told<LogRecord>>,
    /// What was dropped, and how many of it.
    pub dropped: Vec<(Signal, Dropped, u64)>,
}

/// A collector that keeps all that it is given.
#[derive(Debug, Default)]
pub struct Recorder {
    arrived: Mutex<Arrived>,
}

impl Recorder {
    /// What has arrived since this was asked last.
    pub fn take(&self) -> Arrived {
        std::mem::take(&mut *self.arrived())
    }

    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Told<M> {
    fn new(origin: Origin<'_>, message: M) -> Self {
        let Origin { resource, scope, schema_url } = origin;
        Self { resource: resource.clone(), scope: scope.clone(), schema_url: schema_url.to_owned(), message }
    }
}

impl Collector for Recorder {
    fn span(&self, origin: Origin<'_>, span: Span) {
        self.arrived().spans.push(Told::new(origin, span));
    }

    fn metric(&self, origin: Origin<'_>, metric: Metric) {
        self.arrived().metrics.push(Told::new(origin, metric));
    }

    fn log(&self, origin: Origin<'_>, record: LogRecord) {
        self.arrived().logs.push(Told::new(origin, record));
    }

    fn dropped(&self, signal: Signal, why: Dropped, count: u64) {
        self.arrived().dropped.push((signal, why, count));
    }
}

/// Tells `collector` some of everything, and compares it with what `arrived` reads afterwards: at least that, in any order,
/// each in a resource that has the guest's attributes besides others.
///
/// # Errors
///
/// The first message that is missing or differs.
pub fn run(collector: Arc<dyn Collector>, arrived: impl FnOnce() -> Arrived) -> Result<()> {
    // The trace is of this run alone, as a receiver may have seen others.
    let (trace, outer) = (TraceId::from(random()), SpanId::from(random() as u64 | 1));
    let outer = SpanContext::new(trace, outer, TraceFlags::SAMPLED, false, TraceState::NONE);
    let state = OtelState::new(collector, &Limits::default());
    let call = CallContext::new(outer.clone(), None);
    within(Some(&call), || tell(&state))?;
    check(&outer, &arrived())
}

/// Compares what has arrived with what the suite's guest tells in a call under `outer`.
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

/// The part of the guest.
fn tell(state: &OtelState) -> Result<()> {
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
    expected: &Told<M>,
    arrived: &[Told<M>],
    name: impl Fn(&M) -> String,
) -> Result<()> {
    let own = name(&expected.message);
    let found = arrived.iter().find(|told| name(&told.message) == own);
    let found = found.with_context(|| format!("the {what} {own} has not arrived"))?;
    let Told { resource, scope, schema_url, message } = found;
    ensure!(*message == expected.message, "{what} {own}: {message:?} is not {:?}", expected.message);
    ensure!(*scope == expected.scope && *schema_url == expected.schema_url, "{what} {own}: another scope: {scope:?}");
    for attribute in &expected.resource.attributes {
        ensure!(resource.attributes.contains(attribute), "{what} {own}: the resource lacks {attribute:?}");
    }
    Ok(())
}

/// Different in each process and at each time, without a generator of random numbers.
fn random() -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let half = || u128::from(RandomState::new().hash_one(()));
    (half() << 64 | half()) | 1
}
