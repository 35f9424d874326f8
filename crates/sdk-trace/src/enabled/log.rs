//! Sends each log record to the host when it is emitted.

use std::time::{Duration, SystemTime};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use super::bindings::{Datetime, TraceFlags, logs, types};
use super::json;

/// A log processor that emits through `wasi:otel/logs`.
#[derive(Debug)]
pub(super) struct HostLogProcessor;

impl LogProcessor for HostLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        logs::on_emit(&convert(record, scope));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn convert(record: &SdkLogRecord, scope: &InstrumentationScope) -> logs::LogRecord {
    let span = record.trace_context();
    let attributes = record.attributes_iter();
    let attributes =
        attributes.map(|(key, value)| types::KeyValue { key: key.to_string(), value: json::of_any(value) });
    logs::LogRecord {
        timestamp: record.timestamp().map(time),
        observed_timestamp: record.observed_timestamp().map(time),
        severity_text: record.severity_text().map(str::to_owned),
        severity_number: record.severity_number().map(|severity| severity as u8),
        body: record.body().map(json::of_any),
        attributes: Some(attributes.collect()),
        event_name: record.event_name().map(str::to_owned),
        // The host sets the resource.
        resource: None,
        instrumentation_scope: Some(of_target(record, scope)),
        trace_id: span.map(|span| span.trace_id.to_string()),
        span_id: span.map(|span| span.span_id.to_string()),
        trace_flags: span.and_then(|span| span.trace_flags).map(|flags| match flags.is_sampled() {
            true => TraceFlags::SAMPLED,
            false => TraceFlags::empty(),
        }),
    }
}

/// Returns the record's target as its scope, as the exporters of OpenTelemetry do, or else `scope`.
fn of_target(record: &SdkLogRecord, scope: &InstrumentationScope) -> types::InstrumentationScope {
    match record.target() {
        Some(target) => types::InstrumentationScope {
            name: target.to_string(),
            version: None,
            schema_url: None,
            attributes: Vec::new(),
        },
        None => self::scope(scope),
    }
}

/// Converts a scope, with owned strings.
pub(super) fn scope(scope: &InstrumentationScope) -> types::InstrumentationScope {
    types::InstrumentationScope {
        name: scope.name().to_owned(),
        version: scope.version().map(str::to_owned),
        schema_url: scope.schema_url().map(str::to_owned),
        attributes: pairs(scope.attributes()),
    }
}

/// Converts attributes, with owned strings.
pub(super) fn pairs<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Vec<types::KeyValue> {
    let pair = |attribute: &KeyValue| types::KeyValue {
        key: attribute.key.to_string(),
        value: json::of_value(&attribute.value),
    };
    attributes.map(pair).collect()
}

/// Converts a time to the type of `wasi:clocks`.
pub(super) fn time(time: SystemTime) -> Datetime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}
