//! `Delivery`: the delivery metadata of a message.

use std::time::{Duration, SystemTime};

use crate::bindings::exports::tempo::messaging::handler;

/// The delivery metadata of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The number of this delivery attempt, from 1.
    pub attempt: u32,
    /// The time at which the broker accepted the message; without persistence, the time of arrival.
    pub timestamp: SystemTime,
    /// The sequence number in the stream, which increases with each message and is never reused. `None` without
    /// persistence.
    pub sequence: Option<u64>,
}

impl Delivery {
    pub(crate) fn of(delivery: &handler::Delivery) -> Self {
        let timestamp = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(delivery.timestamp));
        // A timestamp outside the range of `SystemTime` is no acceptance time.
        let timestamp = timestamp.unwrap_or(SystemTime::UNIX_EPOCH);
        Self { attempt: delivery.attempt, timestamp, sequence: delivery.sequence }
    }
}
