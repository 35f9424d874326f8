//! Delivers changes of an embedded store to watchers in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{Change, Error, ErrorKind, Result};

/// Maximum queued bytes per watcher, unless a single change has more.
const MAX_BACKLOG_BYTES: usize = 16 << 20;
/// Bytes counted per change besides its key and value.
const CHANGE_OVERHEAD_BYTES: usize = 128;
/// Interval at which a watched store removes expired entries.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// The watchers of a store, behind the store's lock, which keeps changes in order.
///
/// A store never waits for its watchers. A slow one loses the changes that exceed its queue, receives one error
/// instead, and continues with later changes.
#[derive(Default)]
pub(crate) struct Watchers(Vec<Watcher>);

struct Watcher {
    /// Bounded by `waiting`.
    changes: mpsc::UnboundedSender<Result<Change>>,
    waiting: Arc<AtomicUsize>,
    lagging: bool,
}

impl Watchers {
    /// Returns whether there are no watchers.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sends a change to all open watchers.
    pub(crate) fn publish(&mut self, change: &Change) {
        self.0.retain_mut(|watcher| watcher.tell(change));
    }

    /// Adds a watcher. While it is open, `sweep` runs periodically to remove expired entries.
    pub(crate) fn watch<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        sweep: impl Fn() -> F + Send + 'static,
    ) -> BoxStream<'static, Result<Change>> {
        let (sender, changes) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        self.0.push(Watcher { changes: sender, waiting: waiting.clone(), lagging: false });
        let listener = (changes, waiting, sweep);
        stream::unfold(listener, |(mut changes, waiting, sweep)| async move {
            loop {
                match timeout(SWEEP_INTERVAL, changes.recv()).await {
                    Ok(change) => {
                        let change = change?;
                        waiting.fetch_sub(change.as_ref().map_or(0, Change::size), Relaxed);
                        return Some((change, (changes, waiting, sweep)));
                    }
                    Err(_) => sweep().await,
                }
            }
        })
        .boxed()
    }
}

impl Watcher {
    /// Returns whether the watcher is open.
    fn tell(&mut self, change: &Change) -> bool {
        let (size, waiting) = (change.size(), self.waiting.load(Relaxed));
        if waiting == 0 || waiting.saturating_add(size) <= MAX_BACKLOG_BYTES {
            self.lagging = false;
            self.waiting.fetch_add(size, Relaxed);
            return self.changes.send(Ok(change.clone())).is_ok();
        }
        if std::mem::replace(&mut self.lagging, true) {
            return !self.changes.is_closed();
        }
        let message = "the watcher is too slow and has missed changes";
        self.changes.send(Err(Error::new(ErrorKind::QuotaExceeded, message))).is_ok()
    }
}

impl Change {
    /// Memory of the change, in bytes.
    pub fn size(&self) -> usize {
        let (key, value) = match self {
            Self::Set { key, value } => (key.len(), value.len()),
            Self::Delete { key } => (key.len(), 0),
        };
        key.saturating_add(value).saturating_add(CHANGE_OVERHEAD_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn set(number: u8) -> Change {
        Change::Set { key: "k".into(), value: Bytes::from(vec![number; (4 << 20) - CHANGE_OVERHEAD_BYTES - 1]) }
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_that_it_missed_something_and_goes_on() {
        let mut watchers = Watchers::default();
        let mut changes = watchers.watch(|| async {});
        for number in 0..7 {
            watchers.publish(&set(number));
        }
        for number in 0..4 {
            assert_eq!(changes.next().await, Some(Ok(set(number))));
        }
        assert_eq!(changes.next().await.unwrap().unwrap_err().kind(), ErrorKind::QuotaExceeded);
        watchers.publish(&set(9));
        assert_eq!(changes.next().await, Some(Ok(set(9))));
    }

    #[tokio::test]
    async fn a_change_that_is_larger_than_the_backlog_waits_alone() {
        let mut watchers = Watchers::default();
        let mut changes = watchers.watch(|| async {});
        let large = Change::Set { key: "k".into(), value: Bytes::from(vec![0; MAX_BACKLOG_BYTES + 1]) };
        watchers.publish(&large);
        watchers.publish(&set(1));
        assert!(changes.next().await == Some(Ok(large)));
        assert_eq!(changes.next().await.unwrap().unwrap_err().kind(), ErrorKind::QuotaExceeded);
        watchers.publish(&set(2));
        assert!(changes.next().await == Some(Ok(set(2))));
    }

    #[tokio::test]
    async fn a_watcher_that_has_gone_is_forgotten() {
        let mut watchers = Watchers::default();
        drop(watchers.watch(|| async {}));
        watchers.publish(&set(0));
        assert!(watchers.is_empty());
    }
}
