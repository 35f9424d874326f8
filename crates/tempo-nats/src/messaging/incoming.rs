//! Incoming messages, with their headers counted before they are copied or buffered. The client has parsed the headers
//! by then.

use async_nats::{HeaderMap, Message as NatsMessage};
use tempo_messaging::HeaderCount;

/// An incoming message.
pub(super) struct Incoming {
    /// Without headers if refused.
    pub(super) message: NatsMessage,
    pub(super) refusal: Option<Refusal>,
}

/// Why no component may receive a message.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// Number of headers that it had.
    pub(super) headers: usize,
}

impl Incoming {
    pub(super) fn new(mut message: NatsMessage) -> Self {
        let refusal = message.headers.as_ref().and_then(check);
        if refusal.is_some() {
            message.headers = None;
        }
        Self { message, refusal }
    }
}

/// Checks `headers` against the limits.
pub(super) fn check(headers: &HeaderMap) -> Option<Refusal> {
    let mut count = HeaderCount::default();
    for (name, values) in headers.iter() {
        values.iter().for_each(|value| count.add(name.as_ref(), value.as_str()));
    }
    count.refusal().map(|reason| Refusal { reason, headers: count.headers() })
}
