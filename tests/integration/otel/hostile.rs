//! Hostile guests: their records are dropped or truncated, nothing traps, and their later records arrive.

use std::sync::Arc;

use tempo_core::Limits;
use tempo_wasi_otel::conformance::{Arrived, Recorder};
use tempo_wasi_otel::{HostTelemetry, OtelCtx};

use super::guest::{Datetime, Guest, Step, logs, metrics, tracing, types};
use super::{SAMPLED, given, host};

/// Texts that have broken other hosts.
fn texts() -> Vec<String> {
    let plain = ["", "\0", "0", "-1", "{", "[", "\"", "null", "1e999", "\u{202e}", "0x10", "é", "%n", "{\"a\":{}}"];
    let long = ["[".repeat(1 << 17), "9".repeat(1 << 17), format!("\"{}\"", "\\u0041".repeat(1 << 14))];
    plain.map(str::to_owned).into_iter().chain(long).collect()
}

fn span(text: &str, number: u64) -> tracing::SpanData {
    let time = Datetime { seconds: number, nanoseconds: number as u32 };
    let attributes = || vec![types::KeyValue { key: text.to_owned(), value: text.to_owned() }; 3];
    let context = |trace: &str| tracing::SpanContext {
        trace_id: trace.to_owned(),
        span_id: if trace == "1" { "1" } else { text }.to_owned(),
        trace_flags: SAMPLED,
        is_remote: true,
        trace_state: vec![(text.to_owned(), text.to_owned())],
    };
    tracing::SpanData {
        span_context: context("1"),
        parent_span_id: String::new(),
        span_kind: tracing::SpanKind::Internal,
        name: text.to_owned(),
        start_time: time,
        end_time: Datetime { seconds: 0, nanoseconds: u32::MAX },
        attributes: attributes(),
        events: vec![tracing::Event { name: text.to_owned(), time, attributes: attributes() }],
        links: vec![tracing::Link { span_context: context(text), attributes: attributes() }],
        status: tracing::Status::Error(text.to_owned()),
        instrumentation_scope: scope(text),
        dropped_attributes: u32::MAX,
        dropped_events: u32::MAX,
        dropped_links: u32::MAX,
    }
}

fn scope(text: &str) -> types::InstrumentationScope {
    types::InstrumentationScope {
        name: text.to_owned(),
        version: Some(text.to_owned()),
        schema_url: Some(text.to_owned()),
        attributes: vec![types::KeyValue { key: text.to_owned(), value: text.to_owned() }],
    }
}

fn resource(text: &str) -> types::Resource {
    types::Resource {
        attributes: vec![types::KeyValue { key: text.to_owned(), value: text.to_owned() }],
        schema_url: Some(text.to_owned()),
    }
}

fn record(text: &str, number: u8) -> logs::LogRecord {
    let text = || Some(text.to_owned());
    let time = Some(Datetime { seconds: u64::MAX, nanoseconds: u32::MAX });
    logs::LogRecord {
        timestamp: time,
        observed_timestamp: time,
        severity_text: text(),
        severity_number: Some(number),
        body: text(),
        attributes: text().map(|text| vec![types::KeyValue { key: text.clone(), value: text }]),
        event_name: text(),
        resource: text().as_deref().map(resource),
        instrumentation_scope: text().as_deref().map(scope),
        trace_id: text(),
        span_id: text(),
        trace_flags: Some(SAMPLED),
    }
}

fn export(text: &str, value: f64) -> metrics::ResourceMetrics {
    use metrics::MetricNumber::F64;
    let time = Datetime { seconds: u64::MAX, nanoseconds: 0 };
    let attributes = || vec![types::KeyValue { key: text.to_owned(), value: text.to_owned() }];
    let example = metrics::Exemplar {
        filtered_attributes: attributes(),
        time,
        value: F64(value),
        span_id: text.to_owned(),
        trace_id: text.to_owned(),
    };
    let bucket = metrics::ExponentialBucket { offset: i32::MAX, counts: vec![u64::MAX; 9] };
    let point = metrics::ExponentialHistogramDataPoint {
        attributes: attributes(),
        count: u64::MAX,
        min: Some(F64(value)),
        max: Some(F64(value)),
        sum: F64(value),
        scale: i8::MIN,
        zero_count: u64::MAX,
        positive_bucket: bucket.clone(),
        negative_bucket: bucket,
        zero_threshold: value,
        exemplars: vec![example.clone()],
    };
    let exponential = metrics::ExponentialHistogram {
        data_points: vec![point],
        start_time: time,
        time,
        temporality: metrics::Temporality::LowMemory,
    };
    let point = metrics::GaugeDataPoint { attributes: attributes(), value: F64(value), exemplars: vec![example; 18] };
    let gauge = metrics::Gauge { data_points: vec![point], start_time: None, time };
    let metric =
        |data| metrics::Metric { name: text.to_owned(), description: text.to_owned(), unit: text.to_owned(), data };
    let all = vec![
        metric(metrics::MetricData::F64Gauge(gauge)),
        metric(metrics::MetricData::F64ExponentialHistogram(exponential)),
    ];
    let scope_metrics = vec![metrics::ScopeMetrics { scope: scope(text), metrics: all }];
    metrics::ResourceMetrics { resource: resource(text), scope_metrics }
}

#[test]
fn hostile_values_neither_trap_nor_stop_anything() {
    let recorder = Arc::new(Recorder::default());
    let mut guest = Guest::new(OtelCtx::new(recorder.clone(), &Limits::default()));
    for text in texts() {
        for number in [0, 1, u64::from(u32::MAX), u64::MAX] {
            let span = span(&text, number);
            let bad = tracing::SpanContext { trace_id: text.clone(), ..span.span_context.clone() };
            guest.replay(&[Step::Start(span.span_context.clone()), Step::Start(bad), Step::End(span)]);
            assert_eq!(recorder.take().spans.len(), 1);
        }
        guest.emit(&[record(&text, 0), record(&text, 255)]);
        assert_eq!(recorder.take().logs.len(), 2);
    }
    for text in texts().into_iter().rev().take(4) {
        for value in [f64::NAN, f64::INFINITY, -0.0] {
            let _ = guest.meter(&export(&text, value));
        }
    }
    recorder.take();
    guest.replay(&[Step::End(span("fine", 1))]);
    assert_eq!(recorder.take().spans[0].message.name, "fine");
}

#[test]
fn spans_may_end_twice_or_without_a_beginning_or_never() {
    let recorder = Arc::new(Recorder::default());
    let mut guest = Guest::new(OtelCtx::new(recorder.clone(), &Limits::default()));
    guest.call = Some(tempo_telemetry::CallContext::new(host(1, 9), None));
    let span = || span("s", 1);
    let current = guest.replay(&[Step::End(span()), Step::End(span())]);
    assert!(current.iter().all(|current| current.span_id == format!("{:016x}", 9)));
    let open = |id: u64| tracing::SpanContext { span_id: id.to_string(), ..span().span_context };
    let current = guest.replay(&(100..1100).map(|id| Step::Start(open(id))).collect::<Vec<_>>());
    // The host tracks the first 128 spans.
    let last = |at: usize| u64::from_str_radix(&current[at].span_id, 16).unwrap();
    assert_eq!([last(126), last(127), last(128), last(999)], [0x226, 0x227, 0x227, 0x227]);
    assert_eq!(recorder.take().spans.len(), 2);
}

#[test]
fn without_telemetry_nothing_fails() {
    let off = HostTelemetry::new("app", &tempo_telemetry::Telemetry::off(), &Limits::default());
    let mut guest = Guest::new(tempo_core::Backend::state(
        &off,
        &tempo_core::StoreContext::new(tempo_backend::ByteBudget::new(1 << 20)),
    ));
    assert_eq!(guest.outer().trace_id, "0".repeat(32));
    guest.suite().unwrap();
    for _ in 0..100 {
        guest.meter(&export("m", 1.0)).unwrap();
    }
    guest.emit(&[given::Value::Null.log()]);
    assert_eq!(Recorder::default().take(), Arrived::default());
}
