//! `wasi:otel` through a real guest without an SDK (`tests/guests/otel-raw`): its records are unchanged before and
//! after the encoding for the network, and a hostile guest neither traps nor stops the telemetry.

mod given;
mod guest;
mod hostile;
mod tree;

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use prost::Message;
use tempo_core::Limits;
use tempo_telemetry::{CallContext, Record, Sampler, Signal, Sink, SpanData, Telemetry, TelemetryBuilder};
use tempo_wasi_otel::conformance::{self, Arrived, Received, Recorder};
use tempo_wasi_otel::{HostTelemetry, OtelCtx};

use self::guest::{Guest, tracing};

/// A sink that decodes the records of a runtime's telemetry.
#[derive(Default)]
struct Decoder(Mutex<Arrived>);

fn decode<M: Message + Default>(record: Record<'_>) -> Received<M> {
    Received {
        resource: Resource::decode(record.resource).unwrap(),
        scope: InstrumentationScope::decode(record.scope).unwrap(),
        schema_url: record.schema_url.to_owned(),
        message: M::decode(record.message).unwrap(),
    }
}

impl Sink for Decoder {
    fn enabled(&self, _: Signal) -> bool {
        true
    }

    fn span(&self, _: SpanData) {}

    fn record(&self, record: Record<'_>) {
        let mut arrived = self.0.lock().unwrap();
        match record.signal {
            Signal::Traces => arrived.spans.push(decode(record)),
            Signal::Metrics => arrived.metrics.push(decode(record)),
            Signal::Logs => arrived.logs.push(decode(record)),
        }
    }

    fn reserves(&self, _: &str) -> bool {
        false
    }
}

/// Returns a guest with a recording sink and one with the telemetry of a runtime, each with a function that returns the
/// received records.
fn both() -> [(Guest, Box<dyn Fn() -> Arrived>); 2] {
    let recorder = Arc::new(Recorder::default());
    let direct = Guest::new(OtelCtx::new(recorder.clone(), &Limits::default()));
    let sink = Arc::new(Decoder::default());
    let telemetry: Telemetry =
        TelemetryBuilder { sink: sink.clone(), sampler: Sampler::AlwaysOn, metrics: None }.into();
    let backend = HostTelemetry::new("app", &telemetry, &Limits::default());
    let encoded = Guest::new(tempo_core::Backend::state(&backend, &tempo_backend::ByteBudget::new(1 << 20)));
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
