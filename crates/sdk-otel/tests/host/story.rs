//! Renders the recorded calls as text that a test can compare.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{KeyValue, MetricData, MetricNumber, Record, SpanData, SpanKind, Status};

/// Returns the ended spans by ID.
pub(crate) fn spans(records: &[Record]) -> HashMap<&str, &SpanData> {
    let mut spans = HashMap::new();
    for record in records {
        if let Record::End(span) = record {
            let before = spans.insert(span.span_context.span_id.as_str(), span);
            assert!(before.is_none(), "{} ended twice", span.name);
        }
    }
    spans
}

/// Renders the records in order. Every span that started must have ended.
pub(crate) fn story(records: &[Record]) -> Vec<String> {
    let spans = spans(records);
    let name = |id: &str| spans.get(id).map_or("?", |span| &span.name);
    let line = |record: &Record| match record {
        Record::Outer => "outer".to_owned(),
        Record::Start(span) => format!("start {}", name(&span.span_id)),
        Record::End(span) => format!("end {}", span.name),
        Record::Metrics(_) => "metrics".to_owned(),
        Record::Log(log) => format!("log {}", log.body.as_deref().unwrap_or("-")),
        Record::Sent(Some(parent)) => format!("sent by {}", name(&parent[36..52])),
        Record::Sent(None) => "sent".to_owned(),
        Record::Returned => "returned".to_owned(),
    };
    records.iter().map(line).collect()
}

/// Renders the spans in the order of their starts, indented below their parents; `outer` is the parent of root spans.
pub(crate) fn tree(records: &[Record], outer: &str) -> String {
    let spans = spans(records);
    let mut started = Vec::new();
    for record in records {
        if let Record::Start(context) = record {
            let span = spans.get(context.span_id.as_str()).unwrap_or_else(|| panic!("{context:?} never ended"));
            assert_eq!(format!("{:?}", span.span_context), format!("{context:?}"), "{}", span.name);
            started.push(*span);
        }
    }
    assert_eq!(started.len(), spans.len(), "a span ended that had not started");
    let mut text = String::new();
    below(&started, outer, 0, &mut text);
    assert_eq!(text.lines().count(), started.len(), "spans have parents that are not there: {started:#?}");
    text
}

fn below(spans: &[&SpanData], parent: &str, depth: usize, text: &mut String) {
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        writeln!(text, "{:indent$}{}", "", describe(span), indent = 2 * depth).unwrap();
        below(spans, &span.span_context.span_id, depth + 1, text);
    }
}

fn describe(span: &SpanData) -> String {
    assert!(
        (span.start_time.seconds, span.start_time.nanoseconds) <= (span.end_time.seconds, span.end_time.nanoseconds)
    );
    let mut text = span.name.clone();
    if !matches!(span.span_kind, SpanKind::Internal) {
        write!(text, " ({:?})", span.span_kind).unwrap();
    }
    if !span.attributes.is_empty() {
        write!(text, " {}", attributes(&span.attributes)).unwrap();
    }
    match &span.status {
        Status::Unset => {}
        Status::Ok => text.push_str(" ok"),
        Status::Error(description) => write!(text, " failed: {description}").unwrap(),
    }
    for event in &span.events {
        write!(text, " event {} {}", event.name, attributes(&event.attributes)).unwrap();
    }
    text
}

pub(crate) fn attributes(attributes: &[KeyValue]) -> String {
    let pairs: Vec<_> = attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Renders the exports of metrics, one line per metric.
pub(crate) fn metrics(records: &[Record]) -> Vec<Vec<String>> {
    let exports = records.iter().filter_map(|record| match record {
        Record::Metrics(metrics) => Some(metrics),
        _ => None,
    });
    let lines = exports.map(|export| {
        let scopes = export.scope_metrics.iter();
        let metrics = scopes.flat_map(|scope| scope.metrics.iter().map(|metric| (&scope.scope.name, metric)));
        metrics.map(|(scope, metric)| {
            let unit = if metric.unit.is_empty() { String::new() } else { format!(" [{}]", metric.unit) };
            format!("{scope}/{}{unit} {}", metric.name, data(&metric.data))
        })
    });
    lines.map(Iterator::collect).collect()
}

fn data(data: &MetricData) -> String {
    match data {
        MetricData::U64Sum(sum) | MetricData::S64Sum(sum) | MetricData::F64Sum(sum) => {
            let points = sum.data_points.iter();
            let points: Vec<_> =
                points.map(|point| format!("{}{}", number(&point.value), attributes(&point.attributes))).collect();
            let kind = if sum.is_monotonic { "counter" } else { "sum" };
            format!("{:?} {kind} {}", sum.temporality, points.join(" "))
        }
        MetricData::U64Gauge(gauge) | MetricData::S64Gauge(gauge) | MetricData::F64Gauge(gauge) => {
            let points: Vec<_> = gauge.data_points.iter().map(|point| number(&point.value)).collect();
            format!("gauge {}", points.join(" "))
        }
        MetricData::U64Histogram(histogram) | MetricData::F64Histogram(histogram) => {
            let points = histogram.data_points.iter().map(|point| {
                format!(
                    "{} in {:?} at {:?} sum {} min {} max {}",
                    point.count,
                    point.bucket_counts,
                    point.bounds,
                    number(&point.sum),
                    point.min.as_ref().map(number).unwrap_or_default(),
                    point.max.as_ref().map(number).unwrap_or_default(),
                )
            });
            format!("{:?} histogram {}", histogram.temporality, points.collect::<Vec<_>>().join(" "))
        }
        other => format!("{other:?}"),
    }
}

fn number(number: &MetricNumber) -> String {
    match number {
        MetricNumber::F64(value) => format!("{value:?}"),
        MetricNumber::S64(value) => format!("{value:+}"),
        MetricNumber::U64(value) => value.to_string(),
    }
}
