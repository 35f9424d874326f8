//! Runs the handler for a delivery, and settles it: ack, retry or reject.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tempo_core::Permit;
use tempo_messaging::check_headers;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::ack_extension;
use super::attempt::{Attempt, Disposition};
use super::handlers::Handlers;
use super::lanes::Turn;
use super::phase::{GIVE_BACK_TIMEOUT, StopPhase, reached};
use super::telemetry::count_settlement;
use crate::{Broker, Delivery, Receipt, Subscription};

/// Maximum retry delay of a guest.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);
/// Maximum bytes of a dead letter's reason.
const MAX_REASON_BYTES: usize = 1024;

/// How the delivery is settled with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Settlement {
    Ack,
    Retry(Duration),
    Reject(String),
}

impl Settlement {
    /// The value of the metric attribute `tempo.outcome`.
    fn name(&self) -> &'static str {
        match self {
            Self::Ack => "acked",
            Self::Retry(_) => "retried",
            Self::Reject(_) => "dead",
        }
    }
}

/// Handles and settles the deliveries of one subscription.
pub(super) struct Dispatcher {
    /// Another version of the component replaces them.
    handlers: Arc<ArcSwap<Handlers>>,
    broker: Arc<dyn Broker>,
    subscription: Subscription,
    phases: watch::Receiver<StopPhase>,
}

impl Dispatcher {
    pub(super) fn new(
        handlers: Arc<ArcSwap<Handlers>>,
        broker: Arc<dyn Broker>,
        subscription: Subscription,
        phases: watch::Receiver<StopPhase>,
    ) -> Self {
        Self { handlers, broker, subscription, phases }
    }

    pub(super) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Maximum concurrent messages; more than the component may run would only wait.
    pub(super) fn max_in_flight(&self) -> usize {
        self.subscription.max_in_flight.min(self.handlers.load().max_calls()).max(1)
    }

    /// Handles `delivery` and settles it. Holds `permit` until the broker has confirmed.
    pub(super) async fn run(self: Arc<Self>, delivery: Delivery, turn: Option<Turn>, permit: OwnedSemaphorePermit) {
        let Delivery { message, attempt: number, timestamp, sequence, refusal, receipt, .. } = delivery;
        let topic = message.topic.clone();
        let refusal = refusal.or_else(|| check_headers(&message));
        let attempt = Attempt { message, number, timestamp, sequence };
        let mut turn = turn;
        let settlement = if let Some(reason) = refusal {
            Settlement::Reject(clip(&reason))
        } else if number > self.subscription.max_deliver {
            // The process of the last attempt ended without settling it.
            let times = number.saturating_sub(1);
            Settlement::Reject(format!("delivered {times} times, the last time without an answer"))
        } else {
            let handled = self.handle(attempt, turn.as_mut());
            let disposition = ack_extension::extend_during(&*receipt, self.subscription.ack_wait, handled).await;
            settlement(&self.subscription, number, disposition)
        };
        self.settle(receipt, settlement, &topic, number).await;
        drop(turn);
        drop(permit);
    }

    async fn handle(&self, attempt: Attempt, turn: Option<&mut Turn>) -> Disposition {
        let mut phases = self.phases.clone();
        // Giving back uses up an attempt, so the last attempt runs instead.
        let last = attempt.number >= self.subscription.max_deliver;
        let give_back = if last { StopPhase::Abandoning } else { StopPhase::Draining };
        let (handlers, permit) = tokio::select! {
            biased;
            () = reached(&mut phases, give_back) => return Disposition::GivenBack,
            ready = self.ready(turn) => ready,
        };
        tokio::select! {
            biased;
            disposition = handlers.handle(permit, self.broker.clone(), &self.subscription.consumer, attempt) => disposition,
            () = reached(&mut phases, StopPhase::Abandoning) => Disposition::GivenBack,
        }
    }

    /// Waits for the delivery's turn, then for a permit to run. Returns the handlers of that time.
    async fn ready(&self, turn: Option<&mut Turn>) -> (Arc<Handlers>, Permit) {
        if let Some(turn) = turn {
            turn.begins().await;
        }
        loop {
            let handlers = self.handlers.load_full();
            let permit = handlers.permit().await;
            if Arc::ptr_eq(&handlers, &self.handlers.load()) {
                return (handlers, permit);
            }
        }
    }

    /// Settles the delivery. On failure the broker redelivers the message after `ack_wait`.
    async fn settle(&self, receipt: Box<dyn Receipt>, settlement: Settlement, topic: &str, attempt: u32) {
        let handlers = self.handlers.load_full();
        let (component, consumer) = (handlers.name(), self.subscription.consumer.as_str());
        if let Settlement::Reject(reason) = &settlement
            && handlers.workload().admit_failure_line()
        {
            // A broker without storage has no dead letters.
            let outcome = if self.broker.operator().is_some() { "goes to the dead letters" } else { "is dropped" };
            tracing::warn!(component, consumer, topic, attempt, reason, "a message {outcome}");
        }
        let abandoning = *self.phases.borrow() == StopPhase::Abandoning;
        // After `ack_wait` the message is redelivered anyway, and others need the permit.
        let outcome = settlement.name();
        let patience = if abandoning { GIVE_BACK_TIMEOUT } else { self.subscription.ack_wait };
        let settled = timeout(patience, async {
            match settlement {
                Settlement::Ack => receipt.ack().await,
                Settlement::Retry(delay) => receipt.retry(delay).await,
                Settlement::Reject(reason) => receipt.reject(&reason).await,
            }
        });
        let error = match settled.await {
            Ok(Ok(())) => return count_settlement(&handlers, consumer, outcome),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer came in time".to_owned(),
        };
        if handlers.workload().admit_failure_line() {
            tracing::warn!(component, consumer, topic, attempt, error, "a delivery could not be settled");
        }
    }
}

/// Decides how to settle attempt number `attempt`, given its disposition.
fn settlement(subscription: &Subscription, attempt: u32, disposition: Disposition) -> Settlement {
    match disposition {
        Disposition::Ack => Settlement::Ack,
        Disposition::GivenBack => Settlement::Retry(Duration::ZERO),
        Disposition::Reject(reason) => Settlement::Reject(clip(&reason)),
        Disposition::Retry { why, .. } if attempt >= subscription.max_deliver => {
            let times = if attempt == 1 { "once".to_owned() } else { format!("{attempt} times; the last time") };
            Settlement::Reject(clip(&format!("delivered {times}: {why}")))
        }
        Disposition::Retry { after, .. } => {
            let delay = after.map(|after| after.min(MAX_RETRY_DELAY));
            Settlement::Retry(delay.unwrap_or_else(|| subscription.delay(attempt)))
        }
    }
}

/// Truncates a reason to one line, as it travels in a header.
fn clip(reason: &str) -> String {
    let printable = reason.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut text = String::new();
    for character in printable {
        if text.len().saturating_add(character.len_utf8()) > MAX_REASON_BYTES {
            break;
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(after: Option<Duration>) -> Disposition {
        Disposition::Retry { after, why: "the component trapped: boom".to_owned() }
    }

    fn subscription() -> Subscription {
        Subscription::new("c", vec!["a".to_owned()]).with_max_deliver(3)
    }

    #[test]
    fn a_failure_is_tried_again_until_the_last_attempt() {
        let subscription = subscription();
        for (attempt, delay) in [(1, subscription.delay(1)), (2, subscription.delay(2))] {
            assert_eq!(settlement(&subscription, attempt, failed(None)), Settlement::Retry(delay));
        }
        let reason = "delivered 3 times; the last time: the component trapped: boom";
        assert_eq!(settlement(&subscription, 3, failed(None)), Settlement::Reject(reason.to_owned()));
        let once = subscription.with_max_deliver(1);
        let reason = "delivered once: the component trapped: boom";
        assert_eq!(settlement(&once, 1, failed(Some(Duration::ZERO))), Settlement::Reject(reason.to_owned()));
    }

    #[test]
    fn a_guest_puts_a_message_off_for_an_hour_at_most() {
        let subscription = subscription();
        let hour = Duration::from_secs(3600);
        let millisecond = Duration::from_millis(1);
        for (wanted, given) in [
            (Duration::ZERO, Duration::ZERO),
            (hour - millisecond, hour - millisecond),
            (hour, hour),
            (hour + millisecond, hour),
            (Duration::from_millis(u64::MAX), hour),
        ] {
            assert_eq!(settlement(&subscription, 1, failed(Some(wanted))), Settlement::Retry(given), "{wanted:?}");
        }
    }

    #[test]
    fn a_message_given_back_is_redelivered_at_once_even_after_the_last_attempt() {
        assert_eq!(settlement(&subscription(), 3, Disposition::GivenBack), Settlement::Retry(Duration::ZERO));
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        let refused = |reason: String| settlement(&subscription(), 1, Disposition::Reject(reason));
        assert_eq!(refused("a\r\nb\u{0}c".to_owned()), Settlement::Reject("a  b c".to_owned()));
        for (given, kept) in [(1023, 1023), (1024, 1024), (1025, 1024)] {
            assert_eq!(refused("x".repeat(given)), Settlement::Reject("x".repeat(kept)));
        }
        assert_eq!(refused(format!("{}é", "x".repeat(1023))), Settlement::Reject("x".repeat(1023)));
    }
}
