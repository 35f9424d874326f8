//! Messages that say that a key has no value any more: a client's deletion, or the server's word that a life has ended.

use std::time::Duration;

use async_nats::header::{NATS_MARKER_REASON, NATS_MESSAGE_TTL};
use async_nats::{HeaderMap, HeaderValue};

/// How long a marker stays where the server can end its life. Who watches and is away for longer misses deletions.
pub(super) const MARKER_TTL: Duration = Duration::from_secs(3600);

const OPERATION: &str = "KV-Operation";

/// Whether a message with these headers is a marker.
pub(super) fn is_marker(headers: &HeaderMap) -> bool {
    let deleted = headers.get(OPERATION).is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"));
    deleted || headers.get(NATS_MARKER_REASON).is_some()
}

/// The headers of a deletion that stays.
pub(super) fn lasting() -> HeaderMap {
    operation("DEL")
}

/// The headers of a deletion that the server forgets after [`MARKER_TTL`]. It is called a purge, because the server follows the
/// end of any other message's life with a marker of its own.
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
