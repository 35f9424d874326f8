//! `wasi:otel/logs`: log records, under the component's limits of log lines.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::TraceId;
use opentelemetry::trace::{SpanContext, TraceFlags};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use tempo_telemetry::{Signal, current};

use crate::bindings::wasi::otel::logs as wit;
use crate::limits::{MAX_ATTRIBUTES, MAX_MESSAGE, MAX_NAME};
use crate::message_budget::MessageBudget;
use crate::types::{flags, nanos, scope, span_id, trace_id};
use crate::value::{any_value, clip};
use crate::{Dropped, Origin, OtelView};

/// The valid severities.
const SEVERITIES: std::ops::RangeInclusive<u8> = 1..=24;

impl wit::Host for OtelView<'_> {
    fn on_emit(&mut self, mut given: wit::LogRecord) {
        if !self.collector.enabled(Signal::Logs) {
            return;
        }
        if !self.budgets.logs.admit() {
            self.collector.dropped(Signal::Logs, Dropped::Rate, 1);
            return;
        }
        let resource = given.resource.take().map_or_else(Resource::default, |given| self.resource(given));
        let (scope, schema_url) = given.instrumentation_scope.take().map(scope).unwrap_or_default();
        let record = record(given, self.budgets.logs.max_line());
        self.collector.log(Origin { resource: &resource, scope: &scope, schema_url: &schema_url }, record);
    }
}

/// Converts a record; `max_body` limits its body in bytes.
fn record(given: wit::LogRecord, max_body: usize) -> LogRecord {
    let (trace_id, span_id, flags) = ids(&given);
    let mut budget = MessageBudget::new(MAX_MESSAGE);
    let severity_text = budget.text(given.severity_text.unwrap_or_default(), MAX_NAME);
    let event_name = budget.text(given.event_name.unwrap_or_default(), MAX_NAME);
    let body = given.body.and_then(|text| body(text, max_body.min(MAX_MESSAGE / 2)));
    let body = body.filter(|body| budget.take(body.encoded_len()));
    let (attributes, dropped_attributes_count) =
        budget.attributes(given.attributes.unwrap_or_default(), MAX_ATTRIBUTES);
    LogRecord {
        time_unix_nano: given.timestamp.map_or(0, nanos),
        observed_time_unix_nano: given.observed_timestamp.map_or_else(now, nanos),
        severity_number: given.severity_number.filter(|n| SEVERITIES.contains(n)).map_or(0, i32::from),
        severity_text,
        body,
        attributes,
        dropped_attributes_count,
        flags: u32::from(flags.to_u8()),
        trace_id,
        span_id,
        event_name,
    }
}

/// Returns the trace and span IDs that the guest set, or those of the call's innermost span if it set none. Invalid IDs
/// are dropped.
fn ids(given: &wit::LogRecord) -> (Vec<u8>, Vec<u8>, TraceFlags) {
    let (trace, span) = (given.trace_id.as_deref().unwrap_or(""), given.span_id.as_deref().unwrap_or(""));
    if trace.is_empty() && span.is_empty() {
        let innermost = current().map(|call| call.innermost()).filter(SpanContext::is_valid);
        let ids = |span: SpanContext| (bytes(span.trace_id()), span.span_id().to_bytes().to_vec(), span.trace_flags());
        return innermost.map(ids).unwrap_or_default();
    }
    let Some(trace) = trace_id(trace) else { return Default::default() };
    let span = span_id(span).map(|span| span.to_bytes().to_vec()).unwrap_or_default();
    (bytes(trace), span, given.trace_flags.map(flags).unwrap_or_default())
}

fn bytes(trace: TraceId) -> Vec<u8> {
    trace.to_bytes().to_vec()
}

/// Truncates a body larger than `max` to text, as a record without its body is of little use.
fn body(text: String, max: usize) -> Option<AnyValue> {
    let nested = text.trim_start().starts_with(['{', '[']);
    any_value(if nested { clip(text, max) } else { text }, max)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
