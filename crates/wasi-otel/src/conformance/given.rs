//! The telemetry of the suite's guest in a call under a host span. The guest of the integration tests includes this
//! file.

use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::bindings::wasi::otel::types::{InstrumentationScope, KeyValue, Resource};
use crate::bindings::wasi::otel::{logs, metrics, tracing};

/// One value of each kind, nested ones too.
const VALUES: [(&str, &str); 8] = [
    ("text", r#""a \"quote\", ключ, 🔑""#),
    ("empty", r#""""#),
    ("yes", "true"),
    ("whole", "-9007199254740993"),
    ("broken", "0.1"),
    ("bytes", r#""data:application/octet-stream;base64,AAH/""#),
    ("mixed", r#"[1, "two", [3.5, null], {"four": false}]"#),
    ("members", r#"{"z": {"y": []}, "a": {}}"#),
];

fn attributes() -> Vec<KeyValue> {
    VALUES.iter().map(|(key, value)| KeyValue { key: (*key).to_owned(), value: (*value).to_owned() }).collect()
}

fn attribute(key: &str, value: u32) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.to_string() }
}

fn time(nanoseconds: u32) -> Datetime {
    Datetime { seconds: 1_700_000_000, nanoseconds }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: Some("1.2.3".to_owned()),
        schema_url: Some("https://example.com/schema".to_owned()),
        attributes: vec![attribute("scope", 1)],
    }
}

fn resource() -> Resource {
    Resource { attributes: vec![attribute("guest.resource", 1)], schema_url: None }
}

fn context(outer: &tracing::SpanContext, id: &str) -> tracing::SpanContext {
    tracing::SpanContext {
        trace_id: outer.trace_id.clone(),
        span_id: id.to_owned(),
        trace_flags: tracing::TraceFlags::SAMPLED,
        is_remote: false,
        trace_state: vec![("vendor".to_owned(), "state".to_owned()), ("a@b".to_owned(), "1".to_owned())],
    }
}

/// Two spans under the host's, one in the other, the inner one first, as it ends first.
pub(crate) fn spans(outer: &tracing::SpanContext) -> [tracing::SpanData; 2] {
    let child = tracing::SpanData {
        span_context: context(outer, "00000000000000c2"),
        parent_span_id: "00000000000000c1".to_owned(),
        span_kind: tracing::SpanKind::Client,
        name: "child".to_owned(),
        start_time: time(200),
        end_time: time(300),
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        status: tracing::Status::Error("it failed".to_owned()),
        instrumentation_scope: scope("one"),
        dropped_attributes: 1,
        dropped_events: 2,
        dropped_links: 3,
    };
    let event = |name: &str, at| tracing::Event { name: name.to_owned(), time: time(at), attributes: attributes() };
    let link = tracing::SpanContext { is_remote: true, ..context(outer, "00000000000000cf") };
    let parent = tracing::SpanData {
        span_context: context(outer, "00000000000000c1"),
        parent_span_id: outer.span_id.clone(),
        span_kind: tracing::SpanKind::Internal,
        name: "parent".to_owned(),
        start_time: time(100),
        end_time: time(400),
        attributes: attributes(),
        events: vec![event("late", 350), event("early", 150)],
        links: vec![tracing::Link { span_context: link, attributes: attributes() }],
        status: tracing::Status::Ok,
        instrumentation_scope: scope("two"),
        dropped_attributes: 0,
        dropped_events: 0,
        dropped_links: 0,
    };
    [child, parent]
}

/// One of each kind of data.
pub(crate) fn metrics(outer: &tracing::SpanContext) -> metrics::ResourceMetrics {
    use metrics::{MetricData as D, MetricNumber as N};
    let number = |value| metrics::SumDataPoint { attributes: attributes(), value, exemplars: vec![example(outer)] };
    let sum = metrics::Sum {
        data_points: vec![number(N::U64(7)), metrics::SumDataPoint { attributes: vec![], ..number(N::U64(8)) }],
        start_time: time(1),
        time: time(2),
        temporality: metrics::Temporality::Delta,
        is_monotonic: true,
    };
    let gauge = metrics::GaugeDataPoint { attributes: attributes(), value: N::F64(0.1), exemplars: Vec::new() };
    let histogram = metrics::HistogramDataPoint {
        attributes: attributes(),
        count: 3,
        bounds: vec![0.5, 1.5],
        bucket_counts: vec![1, 0, 2],
        min: Some(N::F64(0.25)),
        max: None,
        sum: N::F64(4.5),
        exemplars: Vec::new(),
    };
    let exponential = metrics::ExponentialHistogramDataPoint {
        attributes: Vec::new(),
        count: 3,
        min: Some(N::S64(-4)),
        max: Some(N::S64(2)),
        sum: N::S64(-2),
        scale: -2,
        zero_count: 1,
        positive_bucket: metrics::ExponentialBucket { offset: 0, counts: vec![1] },
        negative_bucket: metrics::ExponentialBucket { offset: -3, counts: vec![0, 1] },
        zero_threshold: 0.125,
        exemplars: Vec::new(),
    };
    let (start_time, time, cumulative) = (time(1), time(2), metrics::Temporality::Cumulative);
    let histogram = metrics::Histogram { data_points: vec![histogram], start_time, time, temporality: cumulative };
    let exponential =
        metrics::ExponentialHistogram { data_points: vec![exponential], start_time, time, temporality: cumulative };
    let gauge = metrics::Gauge { data_points: vec![gauge], start_time: None, time };
    let all = [
        ("suite.gauge", D::F64Gauge(gauge)),
        ("suite.sum", D::U64Sum(sum)),
        ("suite.histogram", D::F64Histogram(histogram)),
        ("suite.exponential", D::S64ExponentialHistogram(exponential)),
    ];
    let metric = |(name, data): (&str, D)| metrics::Metric {
        name: name.to_owned(),
        description: "what it counts".to_owned(),
        unit: "{thing}".to_owned(),
        data,
    };
    let scope_metrics = vec![metrics::ScopeMetrics { scope: scope("one"), metrics: all.map(metric).into() }];
    metrics::ResourceMetrics { resource: resource(), scope_metrics }
}

fn example(outer: &tracing::SpanContext) -> metrics::Exemplar {
    metrics::Exemplar {
        filtered_attributes: vec![attribute("filtered", 1)],
        time: time(2),
        value: metrics::MetricNumber::S64(-1),
        span_id: "00000000000000c1".to_owned(),
        trace_id: outer.trace_id.clone(),
    }
}

/// A complete log record, and a minimal one in the host's span.
pub(crate) fn logs(outer: &tracing::SpanContext) -> [logs::LogRecord; 2] {
    let all = logs::LogRecord {
        timestamp: Some(time(5)),
        observed_timestamp: Some(time(6)),
        severity_text: Some("WARN".to_owned()),
        severity_number: Some(13),
        body: Some(r#"{"said": ["hello", 1]}"#.to_owned()),
        attributes: Some(attributes()),
        event_name: Some("suite.all".to_owned()),
        resource: Some(resource()),
        instrumentation_scope: Some(scope("one")),
        trace_id: Some(outer.trace_id.clone()),
        span_id: Some("00000000000000c2".to_owned()),
        trace_flags: Some(tracing::TraceFlags::SAMPLED),
    };
    let little = logs::LogRecord {
        timestamp: None,
        severity_text: None,
        severity_number: None,
        body: None,
        attributes: None,
        event_name: Some("suite.little".to_owned()),
        resource: None,
        instrumentation_scope: None,
        trace_id: None,
        span_id: None,
        trace_flags: None,
        ..all.clone()
    };
    [all, little]
}
