//! Distributes the changes of a store over lanes: ordered within a lane, lanes concurrently.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::stream::{BoxStream, StreamExt as _};
use tempo_core::Instances;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::guest::{StoreChange, Watcher, deliver};
use crate::{Change, Result};

/// Maximum concurrent calls per store; fewer than the component's permits, so that others get some.
const LANE_COUNT: usize = 16;

/// Maximum bytes queued in all lanes, unless a single change has more.
const MAX_QUEUED_BYTES: usize = 1 << 20;

/// A queued change with its share of the budget.
type QueuedChange = (Change, OwnedSemaphorePermit);

/// A watched store.
pub(super) struct Watched {
    /// Another version of the component replaces them.
    pub(super) instances: Arc<ArcSwap<Instances<Watcher>>>,
    /// Name of the store.
    pub(super) name: Arc<str>,
}

impl Watched {
    /// Delivers `changes` until they end or `stop` is sent, and returns when the last call has ended.
    pub(super) async fn run(self, changes: BoxStream<'static, Result<Change>>, mut stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let lanes: Vec<mpsc::Sender<QueuedChange>> = (0..LANE_COUNT).map(|_| self.lane(&mut tasks)).collect();
        let (hasher, room) = (RandomState::new(), Arc::new(Semaphore::new(MAX_QUEUED_BYTES)));
        let stopped = Box::pin(async move { stop.changed().await });
        let mut changes = changes.take_until(stopped);
        while let Some(change) = changes.next().await {
            match change {
                Ok(change) => {
                    let (Change::Set { key, .. } | Change::Delete { key }) = &change;
                    let hash = usize::try_from(hasher.hash_one(key) >> 32).unwrap_or(0);
                    let Some(lane) = lanes.get(hash % LANE_COUNT) else { continue };
                    // A wait here delays the backend's queue, which has its own policy for when it is full.
                    let Some(room) = reserve(&room, change.size()).await else { continue };
                    let _ = lane.send((change, room)).await;
                }
                Err(error) => {
                    let instances = self.instances.load();
                    tracing::warn!(component = instances.workload().name(), %error, "cannot receive changes");
                }
            }
        }
        drop(lanes);
        while tasks.join_next().await.is_some() {}
    }

    fn lane(&self, tasks: &mut JoinSet<()>) -> mpsc::Sender<QueuedChange> {
        let (sender, mut changes) = mpsc::channel(1);
        let (instances, name) = (self.instances.clone(), self.name.clone());
        tasks.spawn(async move {
            while let Some((change, room)) = changes.recv().await {
                drop(room);
                let instances = instances.load_full();
                deliver(&instances, StoreChange { name: name.clone(), change }).await;
            }
        });
        sender
    }
}

/// Reserves budget for a change of `bytes`. A larger change waits for the whole budget. `None` if the semaphore is
/// closed, which never happens.
async fn reserve(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes.min(MAX_QUEUED_BYTES)).ok()?;
    room.clone().acquire_many_owned(bytes).await.ok()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn changes_wait_in_so_many_bytes_or_alone() {
        let room = Arc::new(Semaphore::new(MAX_QUEUED_BYTES));
        let one = reserve(&room, MAX_QUEUED_BYTES - 1).await.unwrap();
        assert!(reserve(&room, 2).now_or_never().is_none());
        let other = reserve(&room, 1).now_or_never().unwrap();
        drop((one, other));
        for bytes in [MAX_QUEUED_BYTES, MAX_QUEUED_BYTES + 1, usize::MAX] {
            let alone = reserve(&room, bytes).now_or_never().unwrap().unwrap();
            assert!(reserve(&room, 1).now_or_never().is_none(), "{bytes}");
            drop(alone);
        }
        assert_eq!(room.available_permits(), MAX_QUEUED_BYTES);
    }
}
