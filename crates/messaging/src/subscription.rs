//! What a component wants to handle, and how.

use std::time::Duration;

use crate::Owner;

/// A subscription: the topics of one consumer, and how it is delivered to.
///
/// All runtimes that name the same consumer share its messages: each message goes to one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The topics, with wildcards. Never empty, each checked.
    pub topics: Vec<String>,
    /// The consumer's name: 1-64 letters, digits, `-` and `_`. That of the component, after that of its app if it has one,
    /// unless the user gives another.
    pub consumer: String,
    /// How many messages may be handled at once.
    pub max_in_flight: usize,
    /// How often a message is delivered before it goes to the dead letters.
    pub max_deliver: u32,
    /// How long to wait before the second delivery, the third and so on; the last is used again. Never empty.
    pub backoff: Vec<Duration>,
    /// How long a delivery may go without a sign of life before the message is delivered again.
    pub ack_wait: Duration,
    /// Where messages go that are not to be delivered any more: a name of the same kind as the stream's. `None`: the
    /// backend's own choice.
    pub dead_letter: Option<String>,
    /// Whether messages of one key are handled one after the other, in the order in which they were accepted.
    pub ordered: bool,
    /// Whose subscription it is. It is kept with the consumer, so that another component does not share it by accident.
    pub owner: Option<Owner>,
}

impl Subscription {
    /// A subscription of `consumer` to `topics` as it is without options.
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

    /// How long to wait before the delivery that follows the `attempt`th.
    pub fn delay(&self, attempt: u32) -> Duration {
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.backoff.get(index).or(self.backoff.last()).copied().unwrap_or_default()
    }
}
