//! The items expected from the suite's guest, written independently of the conversion.

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::Received;

const SECOND: u64 = 1_700_000_000_000_000_000;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    any(Value::StringValue(text.to_owned()))
}

fn array(values: Vec<AnyValue>) -> AnyValue {
    any(Value::ArrayValue(ArrayValue { values }))
}

fn object(values: Vec<KeyValue>) -> AnyValue {
    any(Value::KvlistValue(KeyValueList { values }))
}

fn member(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), key_strindex: 0 }
}

fn int(key: &str, value: i64) -> KeyValue {
    member(key, any(Value::IntValue(value)))
}

fn attributes() -> Vec<KeyValue> {
    let four = object(vec![member("four", any(Value::BoolValue(false)))]);
    let inner = array(vec![any(Value::DoubleValue(3.5)), AnyValue::default()]);
    vec![
        member("text", text("a \"quote\", ключ, 🔑")),
        member("empty", text("")),
        member("yes", any(Value::BoolValue(true))),
        int("whole", -9_007_199_254_740_993),
        member("broken", any(Value::DoubleValue(0.1))),
        member("bytes", any(Value::BytesValue(vec![0, 1, 255]))),
        member("mixed", array(vec![any(Value::IntValue(1)), text("two"), inner, four])),
        member(
            "members",
            object(vec![member("z", object(vec![member("y", array(vec![]))])), member("a", object(vec![]))]),
        ),
    ]
}

fn received<M>(resource: bool, scope: &str, message: M) -> Received<M> {
    let attributes = if resource { vec![int("guest.resource", 1)] } else { Vec::new() };
    let resource = Resource { attributes, ..Resource::default() };
    if scope.is_empty() {
        return Received { resource, scope: InstrumentationScope::default(), schema_url: String::new(), message };
    }
    let scope = InstrumentationScope {
        name: scope.to_owned(),
        version: "1.2.3".to_owned(),
        attributes: vec![int("scope", 1)],
        dropped_attributes_count: 0,
    };
    Received { resource, scope, schema_url: "https://example.com/schema".to_owned(), message }
}

fn id(last: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 0, 0, 0, last]
}

fn trace(outer: &SpanContext) -> Vec<u8> {
    outer.trace_id().to_bytes().to_vec()
}

pub(super) fn spans(outer: &SpanContext) -> [Received<Span>; 2] {
    let event = |name: &str, at| Event {
        time_unix_nano: SECOND + at,
        name: name.to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 0,
    };
    let trace_state = "vendor=state,a@b=1".to_owned();
    let link = Link {
        trace_id: trace(outer),
        span_id: id(0xcf),
        trace_state: trace_state.clone(),
        attributes: attributes(),
        dropped_attributes_count: 0,
        flags: 0x301,
    };
    let parent = Span {
        trace_id: trace(outer),
        span_id: id(0xc1),
        trace_state,
        parent_span_id: outer.span_id().to_bytes().to_vec(),
        flags: 0x101,
        name: "parent".to_owned(),
        kind: 1,
        start_time_unix_nano: SECOND + 100,
        end_time_unix_nano: SECOND + 400,
        attributes: attributes(),
        events: vec![event("late", 350), event("early", 150)],
        links: vec![link],
        status: Some(Status { message: String::new(), code: 1 }),
        ..Span::default()
    };
    let child = Span {
        span_id: id(0xc2),
        parent_span_id: id(0xc1),
        flags: 1,
        name: "child".to_owned(),
        kind: 3,
        start_time_unix_nano: SECOND + 200,
        end_time_unix_nano: SECOND + 300,
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        dropped_attributes_count: 1,
        dropped_events_count: 2,
        dropped_links_count: 3,
        status: Some(Status { message: "it failed".to_owned(), code: 2 }),
        ..parent.clone()
    };
    [received(false, "one", child), received(false, "two", parent)]
}

pub(super) fn metrics(outer: &SpanContext) -> Vec<Received<Metric>> {
    let example = Exemplar {
        filtered_attributes: vec![int("filtered", 1)],
        time_unix_nano: SECOND + 2,
        span_id: id(0xc1),
        trace_id: trace(outer),
        value: Some(exemplar::Value::AsInt(-1)),
    };
    let number = |attributes, start, value, exemplars| NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: SECOND + 2,
        exemplars,
        flags: 0,
        value: Some(value),
    };
    let gauge = number(attributes(), 0, number_data_point::Value::AsDouble(0.1), Vec::new());
    let sum = |attributes, value| {
        number(attributes, SECOND + 1, number_data_point::Value::AsInt(value), vec![example.clone()])
    };
    let sum =
        Sum { data_points: vec![sum(attributes(), 7), sum(vec![], 8)], aggregation_temporality: 1, is_monotonic: true };
    let all = [
        ("suite.gauge", Data::Gauge(Gauge { data_points: vec![gauge] })),
        ("suite.sum", Data::Sum(sum)),
        ("suite.histogram", histogram()),
        ("suite.exponential", exponential()),
    ];
    let metric = |(name, data): (&str, Data)| Metric {
        name: name.to_owned(),
        description: "what it counts".to_owned(),
        unit: "{thing}".to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    };
    all.into_iter().map(metric).map(|metric| received(true, "one", metric)).collect()
}

fn histogram() -> Data {
    let point = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: SECOND + 1,
        time_unix_nano: SECOND + 2,
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 0, 2],
        explicit_bounds: vec![0.5, 1.5],
        exemplars: Vec::new(),
        flags: 0,
        min: Some(0.25),
        max: None,
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 2 })
}

fn exponential() -> Data {
    let point = ExponentialHistogramDataPoint {
        attributes: Vec::new(),
        start_time_unix_nano: SECOND + 1,
        time_unix_nano: SECOND + 2,
        count: 3,
        sum: Some(-2.0),
        scale: -2,
        zero_count: 1,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1] }),
        negative: Some(Buckets { offset: -3, bucket_counts: vec![0, 1] }),
        flags: 0,
        exemplars: Vec::new(),
        min: Some(-4.0),
        max: Some(2.0),
        zero_threshold: 0.125,
    };
    Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 })
}

pub(super) fn logs(outer: &SpanContext) -> [Received<LogRecord>; 2] {
    let all = LogRecord {
        time_unix_nano: SECOND + 5,
        observed_time_unix_nano: SECOND + 6,
        severity_number: 13,
        severity_text: "WARN".to_owned(),
        body: Some(object(vec![member("said", array(vec![text("hello"), any(Value::IntValue(1))]))])),
        attributes: attributes(),
        dropped_attributes_count: 0,
        flags: 1,
        trace_id: trace(outer),
        span_id: id(0xc2),
        event_name: "suite.all".to_owned(),
    };
    let little = LogRecord {
        observed_time_unix_nano: SECOND + 6,
        flags: 1,
        trace_id: trace(outer),
        span_id: outer.span_id().to_bytes().to_vec(),
        event_name: "suite.little".to_owned(),
        ..LogRecord::default()
    };
    [received(true, "one", all), received(false, "", little)]
}
