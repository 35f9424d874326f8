//! Sends in-progress acks while a handler runs, so that `ack_wait` does not expire.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Receipt;

/// Minimum interval between in-progress acks.
const MIN_EXTEND_INTERVAL: Duration = Duration::from_millis(10);

/// Runs `work`, and extends `receipt` three times per `ack_wait` meanwhile.
pub(super) async fn extend_during<R>(receipt: &dyn Receipt, ack_wait: Duration, work: impl Future<Output = R>) -> R {
    tokio::select! {
        // Most work completes at once and needs no timer.
        biased;
        result = work => result,
        never = extend_periodically(receipt, ack_wait) => match never {},
    }
}

async fn extend_periodically(receipt: &dyn Receipt, ack_wait: Duration) -> Infallible {
    let every = (ack_wait / 3).max(MIN_EXTEND_INTERVAL);
    let first = Instant::now().checked_add(every).unwrap_or_else(Instant::now);
    let mut interval = interval_at(first, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = receipt.extend().await {
            // The next may succeed; if none does, the message is delivered once more, which is safe.
            tracing::debug!(%error, "an in-progress ack failed");
        }
    }
}
