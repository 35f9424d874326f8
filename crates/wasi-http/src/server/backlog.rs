//! Response data that waits for clients, counted over all connections and bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;

/// How much response data hyper holds until the clients take it.
///
/// At the bound, requests wait before they reach the component, a streaming response gets its next piece only once the one
/// before is written, and clients that are too slow are given [`HURRY`](super::pace::HURRY) rather than `--send-timeout`.
/// So it is exceeded by what the requests that already run still answer, and `--max-requests` bounds those.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    bound: usize,
    full: watch::Sender<bool>,
}

impl Backlog {
    /// An empty one that is full at `bound` bytes.
    pub(crate) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), bound, full: watch::Sender::new(false) })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Relaxed) < self.bound
    }

    /// Whether the backlog is full, whenever that changes. Once full, it is so until an eighth of it is free.
    pub(crate) fn full(&self) -> watch::Receiver<bool> {
        self.full.subscribe()
    }

    /// Waits for room, for at most `patience`; false if there is none by then.
    pub(crate) async fn wait_for_room(&self, patience: Duration) -> bool {
        if self.has_room() {
            return true;
        }
        let mut full = self.full();
        matches!(tokio::time::timeout(patience, full.wait_for(|full| !full)).await, Ok(Ok(_)))
    }

    pub(crate) fn add(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        if before < self.bound && before.saturating_add(bytes) >= self.bound {
            self.announce();
        }
    }

    pub(crate) fn remove(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Relaxed);
        if before >= self.low() && before.saturating_sub(bytes) < self.low() {
            self.announce();
        }
    }

    fn low(&self) -> usize {
        self.bound - self.bound / 8
    }

    /// Reads the count under the channel's lock: of two threads that cross a bound at once, the last one says what is true.
    fn announce(&self) {
        self.full.send_if_modified(|full| {
            let bytes = self.bytes.load(Relaxed);
            let now = if *full { bytes >= self.low() } else { bytes >= self.bound };
            std::mem::replace(full, now) != now
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_ends_at_the_bound_and_comes_back_below_it() {
        let backlog = Backlog::new(80);
        let full = backlog.full();
        backlog.add(79);
        assert!(backlog.has_room() && !*full.borrow());
        backlog.add(1);
        assert!(!backlog.has_room() && *full.borrow());
        assert!(!backlog.wait_for_room(Duration::ZERO).await);
        backlog.remove(10);
        assert!(backlog.has_room() && *full.borrow(), "an eighth is free at 69");
        backlog.remove(1);
        assert!(!*full.borrow());
        assert!(backlog.wait_for_room(Duration::ZERO).await);
        backlog.add(100);
        assert!(*full.borrow());
        backlog.remove(169);
        assert!(!*full.borrow());
    }

    #[tokio::test]
    async fn who_waits_for_room_goes_on_when_there_is_some() {
        let backlog = Backlog::new(8);
        backlog.add(8);
        let waiting = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.wait_for_room(Duration::from_secs(600)).await }
        });
        tokio::task::yield_now().await;
        backlog.remove(8);
        assert!(waiting.await.unwrap());
    }
}
