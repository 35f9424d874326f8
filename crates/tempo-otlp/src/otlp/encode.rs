//! Encodes host spans as OTLP `Span`s (`opentelemetry.proto.trace.v1`), and attributes as `KeyValue`s.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind, Status};
use opentelemetry::{Array, SpanId, Value};
use tempo_telemetry::SpanData;

use crate::otlp::wire;

/// Span flags beyond those of the W3C: whether the parent's remoteness is known, and whether it is remote.
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// Writes `span` as a `Span`.
pub(crate) fn span(out: &mut Vec<u8>, span: &SpanData) {
    ids(out, &span.context);
    if span.parent != SpanId::INVALID {
        wire::bytes(out, 4, &span.parent.to_bytes());
    }
    wire::bytes(out, 5, span.name.as_bytes());
    wire::uint(out, 6, kind(&span.kind));
    wire::fixed64(out, 7, nanos(span.start));
    wire::fixed64(out, 8, nanos(span.end));
    for pair in &span.attributes {
        attribute(out, 9, pair.key.as_str(), &pair.value);
    }
    for link in &span.links {
        wire::message(out, 13, |out| {
            ids(out, link);
            wire::fixed32(out, 6, flags(link, link.is_remote()));
        });
    }
    wire::message(out, 15, |out| status(out, &span.status));
    // The tag of field 16 takes two bytes, which `wire` handles.
    wire::fixed32(out, 16, flags(&span.context, span.parent_is_remote));
}

/// Writes fields 1 to 3, which spans and links share.
fn ids(out: &mut Vec<u8>, context: &SpanContext) {
    wire::bytes(out, 1, &context.trace_id().to_bytes());
    wire::bytes(out, 2, &context.span_id().to_bytes());
    let state = context.trace_state().header();
    if !state.is_empty() {
        wire::bytes(out, 3, state.as_bytes());
    }
}

fn flags(context: &SpanContext, remote: bool) -> u32 {
    u32::from(context.trace_flags().to_u8()) | REMOTE_KNOWN | if remote { REMOTE } else { 0 }
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn status(out: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => wire::uint(out, 3, 1),
        Status::Error { description } => {
            if !description.is_empty() {
                wire::bytes(out, 2, description.as_bytes());
            }
            wire::uint(out, 3, 2);
        }
    }
}

/// Converts to nanoseconds since 1970, clamped to 1970 and 2554.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a `KeyValue` as `field`.
pub(crate) fn attribute(out: &mut Vec<u8>, field: u32, key: &str, content: &Value) {
    wire::message(out, field, |out| {
        wire::bytes(out, 1, key.as_bytes());
        wire::message(out, 2, |out| value(out, content));
    });
}

/// Writes an `AnyValue`. One that is not known here, as the type may grow, is an empty one.
fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => wire::bytes(out, 1, text.as_str().as_bytes()),
        Value::Bool(value) => boolean(out, *value),
        Value::I64(value) => integer(out, *value),
        Value::F64(value) => double(out, *value),
        Value::Array(array) => wire::message(out, 5, |out| match array {
            Array::Bool(values) => list(out, values, |out, value| boolean(out, *value)),
            Array::I64(values) => list(out, values, |out, value| integer(out, *value)),
            Array::F64(values) => list(out, values, |out, value| double(out, *value)),
            Array::String(values) => list(out, values, |out, text| wire::bytes(out, 1, text.as_str().as_bytes())),
            _ => {}
        }),
        _ => {}
    }
}

fn list<T>(out: &mut Vec<u8>, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for value in values {
        wire::message(out, 1, |out| write(out, value));
    }
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    wire::uint(out, 2, u64::from(value));
}

fn integer(out: &mut Vec<u8>, value: i64) {
    wire::uint(out, 3, value.cast_unsigned());
}

fn double(out: &mut Vec<u8>, value: f64) {
    wire::fixed64(out, 4, value.to_bits());
}

/// Writes an `InstrumentationScope`.
pub(crate) fn scope(name: &str, version: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + version.len() + 4);
    wire::bytes(&mut out, 1, name.as_bytes());
    wire::bytes(&mut out, 2, version.as_bytes());
    out
}
