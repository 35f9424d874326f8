//! Markers: messages that end a key's value, written by a client that deletes it or by the server when its TTL expires.

use std::time::Duration;

use async_nats::header::{NATS_MARKER_REASON, NATS_MESSAGE_TTL};
use async_nats::{HeaderMap, HeaderValue};

/// TTL of a marker, if the server supports it. A watcher that is disconnected for longer misses deletions.
pub(super) const MARKER_TTL: Duration = Duration::from_secs(3600);

const OPERATION: &str = "KV-Operation";

/// Returns whether a message with these headers is a marker.
pub(super) fn is_marker(headers: &HeaderMap) -> bool {
    let deleted = headers.get(OPERATION).is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"));
    deleted || headers.get(NATS_MARKER_REASON).is_some()
}

/// Returns the headers of a delete marker without a TTL.
pub(super) fn lasting() -> HeaderMap {
    operation("DEL")
}

/// Returns the headers of a marker that expires after [`MARKER_TTL`]. It is a purge, because the server writes a marker of its own
/// when a message of any other kind expires.
pub(super) fn passing() -> HeaderMap {
    let mut headers = operation("PURGE");
    headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(MARKER_TTL.as_secs()));
    headers
}

fn operation(name: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION, name);
    headers
}
