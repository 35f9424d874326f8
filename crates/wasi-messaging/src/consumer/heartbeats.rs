//! Signs of life: a delivery that is worked on for long does not count as lost.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Receipt;

/// The shortest time between two signs of life, however short the time is in which one is expected.
const SHORTEST: Duration = Duration::from_millis(10);

/// Finishes `work`, and meanwhile has the time of `receipt` start anew, thrice in each `ack_wait`.
pub(super) async fn during<R>(receipt: &dyn Receipt, ack_wait: Duration, work: impl Future<Output = R>) -> R {
    tokio::select! {
        // Most work is done at once, and then no timer is needed.
        biased;
        result = work => result,
        never = beat(receipt, ack_wait) => match never {},
    }
}

async fn beat(receipt: &dyn Receipt, ack_wait: Duration) -> Infallible {
    let every = (ack_wait / 3).max(SHORTEST);
    let first = Instant::now().checked_add(every).unwrap_or_else(Instant::now);
    let mut interval = interval_at(first, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = receipt.extend().await {
            // The next may arrive; if none does, the message is delivered again, and one delivery too many is safe.
            tracing::debug!(%error, "a sign of life did not reach the broker");
        }
    }
}
