//! What becomes of a delivery: it is done with, comes again later, or goes to the dead letters.

use std::sync::Arc;
use std::time::Duration;

use tempo_core::Permit;
use tempo_messaging::check_headers;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::guest::Order;
use super::handlers::Handlers;
use super::heartbeats;
use super::lanes::Turn;
use super::phase::{GIVE_BACK, Phase, reached};
use super::telemetry::settled;
use crate::{Broker, Delivery, Receipt, Subscription};

/// The longest that a guest may put a message off.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);
/// The most bytes of a reason that are kept with a dead letter.
const LONGEST_REASON: usize = 1024;

/// How the handling of a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The guest is done with it.
    Done,
    /// The guest failed, or asks for another attempt.
    Failed {
        /// When to try again, if the guest says so.
        after: Option<Duration>,
        /// What happened, as a clause: `the component trapped: ...`.
        why: String,
    },
    /// The guest never wants it again, for this reason.
    Refused(String),
    /// It was not handled, or not to its end, because the consumer stops.
    GivenBack,
}

/// What the broker is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Ack,
    Retry(Duration),
    Reject(String),
}

impl Verdict {
    /// What it is called where it is counted.
    fn name(&self) -> &'static str {
        match self {
            Self::Ack => "acked",
            Self::Retry(_) => "retried",
            Self::Reject(_) => "dead",
        }
    }
}

/// What the deliveries of one subscription share.
pub(super) struct Delivering {
    handlers: Arc<Handlers>,
    broker: Arc<dyn Broker>,
    subscription: Subscription,
    phases: watch::Receiver<Phase>,
}

impl Delivering {
    pub(super) fn new(
        handlers: Arc<Handlers>,
        broker: Arc<dyn Broker>,
        subscription: Subscription,
        phases: watch::Receiver<Phase>,
    ) -> Self {
        Self { handlers, broker, subscription, phases }
    }

    pub(super) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// How many messages may be handled at once: more than the component has places would only be held and wait.
    pub(super) fn most(&self) -> usize {
        self.subscription.max_in_flight.min(self.handlers.places()).max(1)
    }

    /// Handles `delivery` and tells the broker what became of it. The permit is held until the broker knows.
    pub(super) async fn run(self: Arc<Self>, delivery: Delivery, turn: Option<Turn>, permit: OwnedSemaphorePermit) {
        let Delivery { message, attempt, timestamp, sequence, refusal, receipt } = delivery;
        let topic = message.topic.clone();
        let refusal = refusal.or_else(|| check_headers(&message));
        let order = Order { message, attempt, timestamp, sequence };
        let mut turn = turn;
        let verdict = if let Some(reason) = refusal {
            Verdict::Reject(clip(&reason))
        } else if attempt > self.subscription.max_deliver {
            // It was delivered for the last time, and whoever had it went down with it.
            let times = attempt.saturating_sub(1);
            Verdict::Reject(format!("delivered {times} times, and after the last time nothing was heard of it"))
        } else {
            let handled = self.handle(order, turn.as_mut());
            let ending = heartbeats::during(&*receipt, self.subscription.ack_wait, handled).await;
            verdict(&self.subscription, attempt, ending)
        };
        self.tell(receipt, verdict, &topic, attempt).await;
        drop(turn);
        drop(permit);
    }

    async fn handle(&self, order: Order, turn: Option<&mut Turn>) -> Ending {
        let mut phases = self.phases.clone();
        // What is given back has used up an attempt, so the last one is rather made than given back.
        let last = order.attempt >= self.subscription.max_deliver;
        let give_back = if last { Phase::Abandoning } else { Phase::Draining };
        let place = tokio::select! {
            biased;
            () = reached(&mut phases, give_back) => return Ending::GivenBack,
            place = self.place(turn) => place,
        };
        tokio::select! {
            biased;
            ending = self.handlers.handle(place, self.broker.clone(), &self.subscription.consumer, order) => ending,
            () = reached(&mut phases, Phase::Abandoning) => Ending::GivenBack,
        }
    }

    /// Waits for the delivery's turn and then for a place to run, for as long as it takes.
    async fn place(&self, turn: Option<&mut Turn>) -> Permit {
        if let Some(turn) = turn {
            turn.begins().await;
        }
        self.handlers.place().await
    }

    /// Tells the broker. If that fails the message comes again once its time is over, which it may at any time.
    async fn tell(&self, receipt: Box<dyn Receipt>, verdict: Verdict, topic: &str, attempt: u32) {
        let (component, consumer) = (self.handlers.name(), self.subscription.consumer.as_str());
        if let Verdict::Reject(reason) = &verdict {
            // What keeps no messages has no dead letters either.
            let fate = if self.broker.operator().is_some() { "goes to the dead letters" } else { "is given up" };
            tracing::warn!(component, consumer, topic, attempt, reason, "a message {fate}");
        }
        let abandoning = *self.phases.borrow() == Phase::Abandoning;
        // After that time the message is delivered again anyway, and the permit is needed for others.
        let outcome = verdict.name();
        let patience = if abandoning { GIVE_BACK } else { self.subscription.ack_wait };
        let told = timeout(patience, async {
            match verdict {
                Verdict::Ack => receipt.ack().await,
                Verdict::Retry(delay) => receipt.retry(delay).await,
                Verdict::Reject(reason) => receipt.reject(&reason).await,
            }
        });
        let error = match told.await {
            Ok(Ok(())) => return settled(self.handlers.telemetry(), consumer, outcome),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer came in time".to_owned(),
        };
        tracing::warn!(component, consumer, topic, attempt, error, "the broker was not told how a delivery ended");
    }
}

/// What the broker is to be told about the `attempt`th delivery, which ended with `ending`.
fn verdict(subscription: &Subscription, attempt: u32, ending: Ending) -> Verdict {
    match ending {
        Ending::Done => Verdict::Ack,
        Ending::GivenBack => Verdict::Retry(Duration::ZERO),
        Ending::Refused(reason) => Verdict::Reject(clip(&reason)),
        Ending::Failed { why, .. } if attempt >= subscription.max_deliver => {
            let times = if attempt == 1 { "once".to_owned() } else { format!("{attempt} times; the last time") };
            Verdict::Reject(clip(&format!("delivered {times}: {why}")))
        }
        Ending::Failed { after, .. } => {
            let delay = after.map(|after| after.min(LONGEST_DELAY));
            Verdict::Retry(delay.unwrap_or_else(|| subscription.delay(attempt)))
        }
    }
}

/// One line of a reason, which travels as a header.
fn clip(reason: &str) -> String {
    let printable = reason.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut text = String::new();
    for character in printable {
        if text.len().saturating_add(character.len_utf8()) > LONGEST_REASON {
            break;
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(after: Option<Duration>) -> Ending {
        Ending::Failed { after, why: "the component trapped: boom".to_owned() }
    }

    fn subscription() -> Subscription {
        Subscription { max_deliver: 3, ..Subscription::new("c", vec!["a".to_owned()]) }
    }

    #[test]
    fn a_failure_is_tried_again_until_the_last_attempt() {
        let subscription = subscription();
        for (attempt, delay) in [(1, subscription.delay(1)), (2, subscription.delay(2))] {
            assert_eq!(verdict(&subscription, attempt, failed(None)), Verdict::Retry(delay));
        }
        let reason = "delivered 3 times; the last time: the component trapped: boom";
        assert_eq!(verdict(&subscription, 3, failed(None)), Verdict::Reject(reason.to_owned()));
        let once = Subscription { max_deliver: 1, ..subscription };
        let reason = "delivered once: the component trapped: boom";
        assert_eq!(verdict(&once, 1, failed(Some(Duration::ZERO))), Verdict::Reject(reason.to_owned()));
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
            assert_eq!(verdict(&subscription, 1, failed(Some(wanted))), Verdict::Retry(given), "{wanted:?}");
        }
    }

    #[test]
    fn what_is_given_back_is_delivered_at_once_even_after_the_last_attempt() {
        assert_eq!(verdict(&subscription(), 3, Ending::GivenBack), Verdict::Retry(Duration::ZERO));
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        let refused = |reason: String| verdict(&subscription(), 1, Ending::Refused(reason));
        assert_eq!(refused("a\r\nb\u{0}c".to_owned()), Verdict::Reject("a  b c".to_owned()));
        for (given, kept) in [(1023, 1023), (1024, 1024), (1025, 1024)] {
            assert_eq!(refused("x".repeat(given)), Verdict::Reject("x".repeat(kept)));
        }
        assert_eq!(refused(format!("{}é", "x".repeat(1023))), Verdict::Reject("x".repeat(1023)));
    }
}
