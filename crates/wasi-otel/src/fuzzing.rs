//! The entry points of the fuzz targets.

use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::AnyValue;

/// Converts the JSON text of a value; a larger one than `max` bytes is truncated or dropped.
pub fn any_value(text: String, max: usize) -> Option<AnyValue> {
    crate::value::any_value(text, max)
}

/// Parses a valid trace ID.
pub fn trace_id(text: &str) -> Option<TraceId> {
    crate::types::trace_id(text)
}

/// Parses a valid span ID.
pub fn span_id(text: &str) -> Option<SpanId> {
    crate::types::span_id(text)
}
