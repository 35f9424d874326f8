//! New trace and span ids.

use opentelemetry::{SpanId, TraceId};

/// A trace id that is random in all its bits, as samplers of other programs may judge by any of them.
pub(super) fn trace_id() -> TraceId {
    // The all-zero id means that there is none.
    TraceId::from(fastrand::u128(1..))
}

/// A random span id.
pub(super) fn span_id() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}
