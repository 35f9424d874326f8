//! Converts OTLP of the host, its guests and other programs into dashboard rows. The input is hostile: spans without IDs are
//! dropped, and names are text, never markup.

use opentelemetry::SpanId;
use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use tempo_otlp::value_text;

use crate::rows::{EventRow, LogRow, RowBudget, SpanRow, link_text};

/// The origin of a span or a log record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// As in [`SpanRow::from`].
    pub(crate) from: &'static str,
    /// The service name; empty for this process.
    pub(crate) service: &'a str,
    /// The scope's name.
    pub(crate) scope: &'a str,
}

/// Returns the trace ID and row of a span, or `None` if it has no IDs.
pub(crate) fn of_span(span: &Span, origin: Origin<'_>) -> Option<(TraceId, SpanRow)> {
    let trace = trace_id(&span.trace_id)?;
    let mut budget = RowBudget::new();
    let (status, message) = status(span.status.as_ref());
    let row = SpanRow {
        trace: trace.to_string(),
        id: span_id(&span.span_id)?.to_string(),
        parent: span_id(&span.parent_span_id).map(|parent| parent.to_string()).unwrap_or_default(),
        from: origin.from,
        service: budget.text(origin.service),
        kind: kind(span.kind()),
        name: budget.text(&span.name),
        scope: budget.text(origin.scope),
        start: millis(span.start_time_unix_nano),
        duration: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) as f64 / 1e6,
        status,
        message: budget.text(message),
        attributes: attributes(&mut budget, &span.attributes),
        events: budget.items(&span.events, |budget, event| EventRow {
            name: budget.text(&event.name),
            time: millis(event.time_unix_nano),
            attributes: attributes(budget, &event.attributes),
        }),
        links: budget
            .items(&span.links, |_, link| Some(link_text(trace_id(&link.trace_id)?, span_id(&link.span_id)?)))
            .into_iter()
            .flatten()
            .collect(),
        cut: budget.is_cut(),
    };
    Some((trace, row))
}

/// Returns the row of a log record.
pub(crate) fn of_line(line: &LogRecord, origin: Origin<'_>) -> LogRow {
    let mut budget = RowBudget::new();
    let time = if line.time_unix_nano == 0 { line.observed_time_unix_nano } else { line.time_unix_nano };
    let message = line.body.as_ref().map(value_text).unwrap_or_default();
    LogRow {
        time: millis(time),
        service: budget.text(origin.service),
        level: level(line.severity_number).to_owned(),
        target: budget.text(origin.scope),
        message: budget.text(if message.is_empty() { &line.event_name } else { &message }),
        trace: trace_id(&line.trace_id).map(|trace| trace.to_string()).unwrap_or_default(),
        span: span_id(&line.span_id).map(|span| span.to_string()).unwrap_or_default(),
        attributes: attributes(&mut budget, &line.attributes),
        cut: budget.is_cut(),
    }
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    let id = TraceId::from_bytes(bytes.try_into().ok()?);
    (id != TraceId::INVALID).then_some(id)
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    let id = SpanId::from_bytes(bytes.try_into().ok()?);
    (id != SpanId::INVALID).then_some(id)
}

fn attributes(budget: &mut RowBudget, attributes: &[KeyValue]) -> Vec<(String, String)> {
    budget.items(attributes, |budget, attribute| {
        let value = attribute.value.as_ref().map(value_text).unwrap_or_default();
        (budget.text(&attribute.key), budget.text(&value))
    })
}

fn status(status: Option<&Status>) -> (&'static str, &str) {
    let Some(status) = status else { return ("unset", "") };
    let word = match status.code() {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    };
    (word, &status.message)
}

fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified => "internal",
    }
}

/// Returns the level of a severity number; each level has four numbers.
fn level(severity: i32) -> &'static str {
    match severity {
        1..=4 => "trace",
        5..=8 => "debug",
        13..=16 => "warn",
        17.. => "error",
        _ => "info",
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;

    const GUEST: Origin<'_> = Origin { from: "guest", service: "", scope: "" };

    #[test]
    fn a_span_without_valid_ids_is_left_out() {
        let short = Span { trace_id: vec![1; 15], span_id: vec![1; 8], ..Span::default() };
        let invalid = Span { trace_id: vec![0; 16], span_id: vec![1; 8], ..Span::default() };
        for span in [Span::default(), short, invalid] {
            assert!(of_span(&span, GUEST).is_none(), "{span:?}");
        }
    }

    #[test]
    fn nested_values_and_strange_times_are_shown() {
        let mut value = AnyValue { value: Some(Value::StringValue("</script>".to_owned())) };
        for _ in 0..20 {
            let list = opentelemetry_proto::tonic::common::v1::ArrayValue { values: vec![value] };
            value = AnyValue { value: Some(Value::ArrayValue(list)) };
        }
        let attribute = KeyValue { key: "deep".to_owned(), value: Some(value), ..KeyValue::default() };
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            start_time_unix_nano: u64::MAX,
            end_time_unix_nano: 0,
            attributes: vec![attribute],
            ..Span::default()
        };
        let (trace, row) = of_span(&span, GUEST).unwrap();
        assert_eq!((trace, row.duration), (TraceId::from_bytes([1; 16]), 0.0));
        assert_eq!(row.attributes[0].1, "[[[[[[[[…]]]]]]]]");
        assert_eq!((row.kind, row.status, row.parent.as_str()), ("internal", "unset", ""));
    }
}
