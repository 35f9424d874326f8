//! `wasi:otel` through a real guest without an SDK (`tests/guests/otel-raw`): its records arrive unchanged
//! at a collector of its own and at the sink of a runtime, and a hostile guest neither traps nor stops the telemetry.

mod given;
mod guest;
mod hostile;
mod tree;

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempo_core::Limits;
use tempo_telemetry::{CallContext, Origin, Record, Signal, Sink, Telemetry};
use tempo_wasi_otel::conformance::{self, Arrived, Received, Recorder};
use tempo_wasi_otel::{HostTelemetry, OtelCtx};

use self::guest::{Guest, tracing};

/// A sink of a runtime's telemetry.
#[derive(Default)]
struct RecordingSink(Mutex<Arrived>);

fn received<M: Clone>(origin: Origin<'_>, message: &M) -> Received<M> {
    Received {
        resource: origin.resource.unwrap().clone(),
        scope: origin.scope.clone(),
        schema_url: origin.schema_url.to_owned(),
        message: message.clone(),
    }
}

impl Sink for RecordingSink {
    fn enabled(&self, _: Signal) -> bool {
        true
    }

    fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        let mut arrived = self.0.lock().unwrap();
        match record {
            Record::Span(span) => arrived.spans.push(received(origin, span)),
            Record::Metric(metric) => arrived.metrics.push(received(origin, metric)),
            Record::Log(record) => arrived.logs.push(received(origin, record)),
        }
    }
}

/// Returns a guest with a recording sink and one with the telemetry of a runtime, each with a function that returns the
/// received records.
fn both() -> [(Guest, Box<dyn Fn() -> Arrived>); 2] {
    let recorder = Arc::new(Recorder::default());
    let direct = Guest::new(OtelCtx::new(recorder.clone(), &Limits::default()));
    let sink = Arc::new(RecordingSink::default());
    let telemetry = Telemetry::builder(sink.clone()).build();
    let backend = HostTelemetry::new("app", &telemetry, &Limits::default());
    let encoded = Guest::new(tempo_core::Backend::state(
        &backend,
        &tempo_core::StoreContext::new(tempo_backend::ByteBudget::new(1 << 20)),
    ));
    [
        (direct, Box::new(move || recorder.take())),
        (encoded, Box::new(move || std::mem::take(&mut *sink.0.lock().unwrap()))),
    ]
}

fn host(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::SAMPLED, false, TraceState::NONE)
}

#[test]
fn the_suite_holds_through_a_guest() {
    for (mut guest, arrived) in both() {
        let outer = host(7, 9);
        guest.call = Some(CallContext::new(outer.clone(), None));
        guest.suite().unwrap();
        conformance::check(&outer, &arrived()).unwrap();
        assert_eq!(guest.outer().span_id, outer.span_id().to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(5), cases: 96, ..<_>::default() })]

    #[test]
    fn a_random_tree_of_spans_comes_out_as_it_went_in(tree in tree::trees()) {
        for (mut guest, arrived) in both() {
            let call = CallContext::new(host(tree.trace, tree.outer), None);
            guest.call = Some(call);
            let (steps, current) = tree.steps();
            let spans: Vec<String> = guest.replay(&steps).into_iter().map(|context| context.span_id).collect();
            prop_assert_eq!(spans, current);
            let arrived = arrived();
            prop_assert_eq!(&arrived.dropped, &vec![]);
            prop_assert_eq!(tree::shape(&arrived.spans), tree.shape());
            prop_assert_eq!(arrived.spans, tree.expected());
        }
    }

    #[test]
    fn random_values_come_out_of_log_records_as_they_went_in(values in prop::collection::vec(given::values(), 1..20)) {
        for (mut guest, arrived) in both() {
            guest.emit(&values.iter().map(given::Value::log).collect::<Vec<_>>());
            let bodies: Vec<_> = arrived().logs.into_iter().map(|record| record.message.body).collect();
            prop_assert_eq!(bodies, values.iter().map(|value| Some(value.any())).collect::<Vec<_>>());
        }
    }
}

/// The flags of a sampled span.
const SAMPLED: tracing::TraceFlags = tracing::TraceFlags::SAMPLED;
