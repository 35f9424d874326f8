//! Timestamps of OTLP.

use std::time::{SystemTime, UNIX_EPOCH};

/// Converts to nanoseconds since 1970, clamped to 1970 and 2554.
pub(crate) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
