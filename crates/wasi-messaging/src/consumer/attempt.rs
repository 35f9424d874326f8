//! One attempt to handle a message, and its outcome.

use std::time::{Duration, SystemTime};

use crate::Message;

/// One attempt to deliver a message to the guest.
pub(super) struct Attempt {
    pub(super) message: Message,
    pub(super) number: u32,
    pub(super) timestamp: SystemTime,
    pub(super) sequence: Option<u64>,
}

/// What the guest answered, or how its call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// The guest acknowledged the message.
    Ack,
    /// The guest failed or requested a retry.
    Retry {
        /// The retry delay, if the guest gave one.
        after: Option<Duration>,
        /// The cause, as a clause: `the component trapped: ...`.
        why: String,
    },
    /// The guest rejected the message, with this reason.
    Reject(String),
    /// Not handled to the end, because the consumer stops.
    GivenBack,
}
