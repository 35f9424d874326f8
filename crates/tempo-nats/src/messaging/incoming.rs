//! Messages that came, judged before anything of them is copied or waits. The client has taken their headers apart by then.

use async_nats::{HeaderMap, Message as NatsMessage};
use tempo_messaging::HeaderCount;

/// A message that came.
pub(super) struct Incoming {
    /// Without its headers if it is refused.
    pub(super) message: NatsMessage,
    pub(super) refusal: Option<Refusal>,
}

/// Why a message is not for a component.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// How many headers it had.
    pub(super) headers: usize,
}

impl Incoming {
    pub(super) fn new(mut message: NatsMessage) -> Self {
        let refusal = message.headers.as_ref().and_then(judge);
        if refusal.is_some() {
            message.headers = None;
        }
        Self { message, refusal }
    }
}

/// Counts `headers`.
pub(super) fn judge(headers: &HeaderMap) -> Option<Refusal> {
    let mut count = HeaderCount::default();
    for (name, values) in headers.iter() {
        values.iter().for_each(|value| count.add(name.as_ref(), value.as_str()));
    }
    count.refusal().map(|reason| Refusal { reason, headers: count.headers() })
}
