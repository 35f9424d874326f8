//! What is known of a message because it was delivered.

use std::time::{Duration, SystemTime};

use crate::bindings::exports::tempo::messaging::handler;

/// How a message came to a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// How often the message has been delivered, this time included: 1 for the first.
    pub attempt: u32,
    /// When it was accepted; where messages are not kept, when it came.
    pub timestamp: SystemTime,
    /// Its place in the stream that keeps it: higher for each message, never given twice. `None` where messages are not kept.
    pub sequence: Option<u64>,
}

impl Delivery {
    pub(crate) fn of(delivery: &handler::Delivery) -> Self {
        let timestamp = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(delivery.timestamp));
        // A time that the system cannot count to is no time at which a message was accepted.
        let timestamp = timestamp.unwrap_or(SystemTime::UNIX_EPOCH);
        Self { attempt: delivery.attempt, timestamp, sequence: delivery.sequence }
    }
}
