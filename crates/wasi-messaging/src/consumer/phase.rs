//! Phases of a consumer's shutdown.

use std::time::Duration;

use tokio::sync::watch;

use crate::Broker;

/// Timeout of giving messages back at the end of the process.
pub(super) const GIVE_BACK_TIMEOUT: Duration = Duration::from_secs(2);

/// A phase of a consumer's shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StopPhase {
    /// Fetches and handles messages.
    Delivering,
    /// Fetches no more, gives back messages that have not started, and finishes those that have.
    Draining,
    /// The deadline has passed: aborts running handlers and gives their messages back.
    Abandoning,
}

/// The shutdown phases of the subscriptions of a component.
pub(super) struct StopPhases {
    /// Phase of subscriptions to brokers that other programs use.
    shared: watch::Sender<StopPhase>,
    /// Phase of subscriptions to brokers of this process only.
    own: watch::Sender<StopPhase>,
}

impl Default for StopPhases {
    fn default() -> Self {
        Self { shared: watch::Sender::new(StopPhase::Delivering), own: watch::Sender::new(StopPhase::Delivering) }
    }
}

impl StopPhases {
    /// Returns the phase of subscriptions to `broker`.
    pub(super) fn of(&self, broker: &dyn Broker) -> watch::Receiver<StopPhase> {
        if broker.is_shared() { self.shared.subscribe() } else { self.own.subscribe() }
    }

    /// Drains the subscriptions that other programs can serve.
    pub(super) fn stop_shared(&self) {
        self.shared.send_replace(StopPhase::Draining);
    }

    /// Returns whether subscriptions are stopping.
    pub(super) fn have_stopped(&self) -> bool {
        *self.shared.borrow() > StopPhase::Delivering
    }

    /// Sets the phase of all subscriptions.
    pub(super) fn enter(&self, phase: StopPhase) {
        self.shared.send_replace(phase);
        self.own.send_replace(phase);
    }
}

/// Resolves once `phase` has been reached.
pub(super) async fn reached(phases: &mut watch::Receiver<StopPhase>, phase: StopPhase) {
    // An error means that the consumer was dropped, which ends this task too.
    let _ = phases.wait_for(|now| *now >= phase).await;
}
