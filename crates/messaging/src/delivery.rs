//! `Delivery` and `Receipt`: a message that a consumer has fetched, and its settlement.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{Message, Result};

/// A message fetched from a consumer, with the receipt that settles it.
#[non_exhaustive]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// Number of this delivery attempt, from 1.
    pub attempt: u32,
    /// When the broker accepted the message, or, without storage, when it arrived.
    pub timestamp: SystemTime,
    /// Sequence in the stream that stores the message.
    pub sequence: Option<u64>,
    /// Why no component may receive the message. Set by backends that count headers before they copy them, and then
    /// leave them out (see [`HeaderCount`](crate::HeaderCount)). The host rejects such a message with this reason.
    pub refusal: Option<String>,
    /// Settles the delivery.
    pub receipt: Box<dyn Receipt>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("attempt", &self.attempt)
            .field("timestamp", &self.timestamp)
            .field("sequence", &self.sequence)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl Delivery {
    /// Creates the `attempt`th delivery of a message that no stream stores.
    pub fn new(message: Message, attempt: u32, timestamp: SystemTime, receipt: Box<dyn Receipt>) -> Self {
        Self { message, attempt, timestamp, sequence: None, refusal: None, receipt }
    }

    /// Sets the sequence in the stream that stores the message.
    #[must_use]
    pub fn with_sequence(self, sequence: impl Into<Option<u64>>) -> Self {
        Self { sequence: sequence.into(), ..self }
    }

    /// Sets the reason why no component may receive the message.
    #[must_use]
    pub fn with_refusal(self, refusal: impl Into<Option<String>>) -> Self {
        Self { refusal: refusal.into(), ..self }
    }
}

/// Settles one delivery. If it is dropped unused, the broker redelivers the message after [`Subscription::ack_wait`](crate::Subscription::ack_wait).
#[async_trait]
pub trait Receipt: Send + Sync {
    /// Acknowledges the message. Returns once the broker has confirmed it and will not redeliver.
    async fn ack(self: Box<Self>) -> Result<()>;

    /// Requests redelivery, no earlier than after `delay`.
    async fn retry(self: Box<Self>, delay: Duration) -> Result<()>;

    /// Stores the message with `reason` as a dead letter, and only then acknowledges it.
    async fn reject(self: Box<Self>, reason: &str) -> Result<()>;

    /// Restarts the message's `ack_wait`, as a handler still runs.
    async fn extend(&self) -> Result<()>;
}
