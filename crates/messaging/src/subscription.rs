//! Subscriptions of a component.

use std::time::Duration;

use crate::Owner;

/// A subscription: the topics of one consumer, and its delivery options.
///
/// Runtimes that name the same consumer share its messages: one of them receives each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// Filters, each validated. Never empty.
    pub topics: Vec<String>,
    /// The consumer's name: 1-64 letters, digits, `-` and `_`. By default the component's name, prefixed with that of
    /// its app if it has one.
    pub consumer: String,
    /// Maximum concurrent messages.
    pub max_in_flight: usize,
    /// Maximum deliveries before a message becomes a dead letter.
    pub max_deliver: u32,
    /// Pauses before the second delivery, the third and so on; the last repeats. Never empty.
    pub backoff: Vec<Duration>,
    /// How long a delivery may stay unacknowledged before redelivery.
    pub ack_wait: Duration,
    /// The dead-letter stream, named like a stream. `None`: the backend's default.
    pub dead_letter: Option<String>,
    /// Whether messages of one key are handled in the order of acceptance, one at a time.
    pub ordered: bool,
    /// The owner. The broker stores it with the consumer, so that another component does not share it by accident.
    pub owner: Option<Owner>,
}

impl Subscription {
    /// Creates a subscription with default options.
    pub fn new(consumer: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            topics,
            consumer: consumer.into(),
            max_in_flight: 32,
            max_deliver: 5,
            backoff: [1, 5, 30, 120].map(Duration::from_secs).to_vec(),
            ack_wait: Duration::from_secs(30),
            dead_letter: None,
            ordered: false,
            owner: None,
        }
    }

    /// Sets the maximum of concurrent messages.
    #[must_use]
    pub fn with_max_in_flight(self, max_in_flight: usize) -> Self {
        Self { max_in_flight, ..self }
    }

    /// Sets the maximum of deliveries.
    #[must_use]
    pub fn with_max_deliver(self, max_deliver: u32) -> Self {
        Self { max_deliver, ..self }
    }

    /// Sets the pauses between deliveries; at least one.
    #[must_use]
    pub fn with_backoff(self, backoff: Vec<Duration>) -> Self {
        Self { backoff, ..self }
    }

    /// Sets how long a delivery may stay unacknowledged.
    #[must_use]
    pub fn with_ack_wait(self, ack_wait: Duration) -> Self {
        Self { ack_wait, ..self }
    }

    /// Sets the dead-letter stream.
    #[must_use]
    pub fn with_dead_letter(self, dead_letter: impl Into<Option<String>>) -> Self {
        Self { dead_letter: dead_letter.into(), ..self }
    }

    /// Sets whether messages of one key are handled in order.
    #[must_use]
    pub fn with_ordered(self, ordered: bool) -> Self {
        Self { ordered, ..self }
    }

    /// Sets the owner.
    #[must_use]
    pub fn with_owner(self, owner: impl Into<Option<Owner>>) -> Self {
        Self { owner: owner.into(), ..self }
    }

    /// The pause after the `attempt`th delivery.
    pub fn delay(&self, attempt: u32) -> Duration {
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.backoff.get(index).or(self.backoff.last()).copied().unwrap_or_default()
    }
}
