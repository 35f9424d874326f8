//! How far the consumer has come in stopping.

use std::time::Duration;

use tokio::sync::watch;

use crate::Broker;

/// How long giving a message back may take when the process must end.
pub(super) const GIVE_BACK: Duration = Duration::from_secs(2);

/// How far the consumer has come in stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It fetches and delivers.
    Delivering,
    /// It fetches nothing more, gives back what has not begun, and finishes what has.
    Draining,
    /// The time is up: what still runs is ended and given back.
    Abandoning,
}

/// The phases of the subscriptions of one component.
pub(super) struct Phases {
    /// Of subscriptions to brokers whose messages other programs can handle.
    shared: watch::Sender<Phase>,
    /// Of those to brokers that are this program's alone.
    own: watch::Sender<Phase>,
}

impl Default for Phases {
    fn default() -> Self {
        Self { shared: watch::Sender::new(Phase::Delivering), own: watch::Sender::new(Phase::Delivering) }
    }
}

impl Phases {
    /// The phase of subscriptions to `broker`.
    pub(super) fn of(&self, broker: &dyn Broker) -> watch::Receiver<Phase> {
        if broker.is_shared() { self.shared.subscribe() } else { self.own.subscribe() }
    }

    /// Leaves to other programs what they can handle.
    pub(super) fn stop_shared(&self) {
        self.shared.send_replace(Phase::Draining);
    }

    /// Whether subscriptions have been stopped.
    pub(super) fn have_stopped(&self) -> bool {
        *self.shared.borrow() > Phase::Delivering
    }

    /// All subscriptions enter `phase`.
    pub(super) fn enter(&self, phase: Phase) {
        self.shared.send_replace(phase);
        self.own.send_replace(phase);
    }
}

/// Resolves once `phase` has been reached.
pub(super) async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    // An error means that the consumer was dropped, and this task is about to be.
    let _ = phases.wait_for(|now| *now >= phase).await;
}
