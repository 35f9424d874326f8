//! `Backlog`: bounds the response data that waits for clients, over all connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;

/// Counts the response data that hyper holds until the clients read it.
///
/// At the limit, requests wait before they reach the component, a streaming response gets its next piece once the
/// previous one is written, and the send timeout becomes [`SHORT_SEND_WINDOW`](super::send_rate::SHORT_SEND_WINDOW).
/// Requests that already run may exceed the limit; `--max-requests` bounds those.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
    full: watch::Sender<bool>,
}

impl Backlog {
    /// Creates an empty backlog that is full at `limit` bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), limit, full: watch::Sender::new(false) })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Relaxed) < self.limit
    }

    /// Returns a receiver of whether the backlog is full. A full backlog stays full until an eighth of it is free.
    pub(crate) fn full(&self) -> watch::Receiver<bool> {
        self.full.subscribe()
    }

    /// Waits at most `patience` for room. Returns false if there is none by then.
    pub(crate) async fn wait_for_room(&self, patience: Duration) -> bool {
        if self.has_room() {
            return true;
        }
        let mut full = self.full();
        matches!(tokio::time::timeout(patience, full.wait_for(|full| !full)).await, Ok(Ok(_)))
    }

    pub(crate) fn add(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        if before < self.limit && before.saturating_add(bytes) >= self.limit {
            self.update_full();
        }
    }

    pub(crate) fn remove(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Relaxed);
        if before >= self.low_watermark() && before.saturating_sub(bytes) < self.low_watermark() {
            self.update_full();
        }
    }

    fn low_watermark(&self) -> usize {
        self.limit - self.limit / 8
    }

    /// Reads the count under the channel's lock: if two threads cross a limit at once, the last update has the current
    /// value.
    fn update_full(&self) {
        self.full.send_if_modified(|full| {
            let bytes = self.bytes.load(Relaxed);
            let now = if *full { bytes >= self.low_watermark() } else { bytes >= self.limit };
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
