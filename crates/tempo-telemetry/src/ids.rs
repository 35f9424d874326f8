//! Generates trace and span ids.

use opentelemetry::{SpanId, TraceId};

/// Returns a new trace id. All its bits are random, because samplers of other programs may use any of them.
pub(super) fn trace_id() -> TraceId {
    // The all-zero id is invalid.
    TraceId::from(fastrand::u128(1..))
}

/// Returns a new random span id.
pub(super) fn span_id() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}
