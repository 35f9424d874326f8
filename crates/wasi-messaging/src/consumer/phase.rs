//! How far the consumer has come in stopping.

use std::time::Duration;

use tokio::sync::watch;

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

/// Resolves once `phase` has been reached.
pub(super) async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    // An error means that the consumer was dropped, and this task is about to be.
    let _ = phases.wait_for(|now| *now >= phase).await;
}
