//! Log records at their limits, and hostile ones.

use std::sync::Arc;

use opentelemetry::SpanId;
use opentelemetry::trace::TraceState;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tempo_core::Limits;
use tempo_telemetry::{CallContext, within};

use super::wit::Host as _;
use super::*;
use crate::OtelCtx;
use crate::bindings::wasi::otel::types;
use crate::conformance::{Arrived, Recorder};

fn state(line: usize, burst: usize) -> (OtelCtx, Arc<Recorder>) {
    let mut limits = Limits::default();
    (limits.log_line, limits.log_burst, limits.log_rate) = (line, burst, 0);
    let recorder = Arc::new(Recorder::default());
    (OtelCtx::new(recorder.clone(), &limits), recorder)
}

fn empty() -> wit::LogRecord {
    wit::LogRecord {
        timestamp: None,
        observed_timestamp: None,
        severity_text: None,
        severity_number: None,
        body: None,
        attributes: None,
        event_name: None,
        resource: None,
        instrumentation_scope: None,
        trace_id: None,
        span_id: None,
        trace_flags: None,
    }
}

fn recorded(given: wit::LogRecord) -> LogRecord {
    let (state, recorder) = state(8, 10);
    state.view().on_emit(given);
    recorder.take().logs.remove(0).message
}

#[test]
fn bodies_at_the_edge() {
    let body =
        |text: &str| recorded(wit::LogRecord { body: Some(text.to_owned()), ..empty() }).body.and_then(|b| b.value);
    let text = |text: &str| Some(Value::StringValue(text.to_owned()));
    for (given, expected) in [("1234567x", "1234567x"), ("1234567xy", "1234567x"), ("1234567é", "1234567")] {
        assert_eq!(body(given), text(expected));
        assert_eq!(body(&format!("\"{given}\"")), text(expected));
    }
    assert!(matches!(body("[1,2,34]"), Some(Value::ArrayValue(_))));
    assert_eq!(body("[1,2,345]"), text("[1,2,345"));
    assert_eq!(body(r#"{"a": "b"}"#), text(r#"{"a": "b"#));
    assert_eq!(body("null"), None);
}

#[test]
fn attributes_at_the_edge() {
    for (given, kept, dropped) in [(127, 127, 0), (128, 128, 0), (129, 128, 1)] {
        let attribute = |n| types::KeyValue { key: format!("k{n}"), value: "1".to_owned() };
        let record = recorded(wit::LogRecord { attributes: Some((0..given).map(attribute).collect()), ..empty() });
        assert_eq!((record.attributes.len(), record.dropped_attributes_count), (kept, dropped));
    }
}

#[test]
fn the_largest_record_is_within_its_limit() {
    let (state, recorder) = state(1 << 20, 10);
    let attribute = |n| types::KeyValue { key: format!("k{n}"), value: "v".repeat(9999) };
    state.view().on_emit(wit::LogRecord {
        severity_text: Some("s".repeat(9999)),
        event_name: Some("e".repeat(9999)),
        body: Some("b".repeat(1 << 20)),
        attributes: Some((0..99).map(attribute).collect()),
        ..empty()
    });
    let record = recorder.take().logs.remove(0).message;
    assert!((MAX_MESSAGE / 2..=MAX_MESSAGE).contains(&record.encoded_len()), "{}", record.encoded_len());
    assert_eq!([record.severity_text.len(), record.event_name.len()], [MAX_NAME; 2]);
    assert_eq!(record.attributes.len() + record.dropped_attributes_count as usize, 99);
}

#[test]
fn severities_at_the_edge() {
    for (given, expected) in [(0, 0), (1, 1), (23, 23), (24, 24), (25, 0), (255, 0)] {
        assert_eq!(recorded(wit::LogRecord { severity_number: Some(given), ..empty() }).severity_number, expected);
    }
}

#[test]
fn ids_that_are_not_valid_are_left_out() {
    let ids = |trace: &str, span: &str| {
        let (trace_id, span_id) = (Some(trace.to_owned()), Some(span.to_owned()));
        let trace_flags = Some(crate::bindings::wasi::otel::tracing::TraceFlags::SAMPLED);
        let record = recorded(wit::LogRecord { trace_id, span_id, trace_flags, ..empty() });
        (record.trace_id.len(), record.span_id.len(), record.flags)
    };
    assert_eq!(ids("1", "1"), (16, 8, 1));
    assert_eq!(ids("1", ""), (16, 0, 1));
    assert_eq!(ids("1", "0"), (16, 0, 1));
    for (trace, span) in [("", ""), ("", "1"), ("0", "1"), ("x", "1"), ("x", "")] {
        assert_eq!(ids(trace, span), (0, 0, 0), "{trace:?} {span:?}");
    }
}

#[test]
fn a_record_that_names_no_span_belongs_to_the_innermost_of_the_call() {
    let span = |id: u64, flags| SpanContext::new(TraceId::from(7), SpanId::from(id), flags, false, TraceState::NONE);
    let call = CallContext::new(span(1, TraceFlags::default()), None);
    let recorded = || within(Some(&call), || recorded(empty()));
    let record = recorded();
    assert_eq!((record.trace_id.last(), record.span_id.last(), record.flags), (Some(&7), Some(&1), 0));
    call.opened(span(2, TraceFlags::SAMPLED));
    let record = recorded();
    assert_eq!((record.span_id.last(), record.flags), (Some(&2), 1));
    assert!(record.time_unix_nano == 0 && record.observed_time_unix_nano > 0);
}

#[test]
fn the_budget_at_its_edge() {
    let (state, recorder) = state(8, 2);
    (0..3).for_each(|_| state.view().on_emit(empty()));
    let Arrived { logs, dropped, .. } = recorder.take();
    assert_eq!((logs.len(), dropped), (2, vec![(Signal::Logs, Dropped::Rate, 1)]));
}
