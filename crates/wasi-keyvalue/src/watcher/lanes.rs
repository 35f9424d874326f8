//! Sends the changes of one store to lanes: in order within each, and all lanes at once.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::guest::{Guest, Told};
use crate::{Change, KeyValueLimits, Result, Store};

/// Changes of one store that are told at once. Fewer than the places of a component, so that others find one too.
const LANES: usize = 16;

/// A store whose changes a component hears of.
pub(super) struct Watched {
    pub(super) guest: Arc<Guest>,
    pub(super) store: Arc<dyn Store>,
    pub(super) limits: KeyValueLimits,
}

impl Watched {
    /// Tells of `changes` until they end or `stop` is sent, and ends when the last call has ended.
    pub(super) async fn run(self, changes: BoxStream<'static, Result<Change>>, mut stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let lanes: Vec<mpsc::Sender<Change>> = (0..LANES).map(|_| self.lane(&mut tasks)).collect();
        let hasher = RandomState::new();
        let stopped = Box::pin(async move { stop.changed().await });
        let mut changes = changes.take_until(stopped);
        while let Some(change) = changes.next().await {
            match change {
                Ok(change) => {
                    let (Change::Set { key, .. } | Change::Delete { key }) = &change;
                    let hash = usize::try_from(hasher.hash_one(key) >> 32).unwrap_or(0);
                    let Some(lane) = lanes.get(hash % LANES) else { continue };
                    // Waiting here holds up the backend's queue, which knows what to do when it is full.
                    let _ = lane.send(change).await;
                }
                Err(error) => tracing::warn!(component = self.guest.name(), %error, "changes cannot be told"),
            }
        }
        drop(lanes);
        while tasks.join_next().await.is_some() {}
    }

    fn lane(&self, tasks: &mut JoinSet<()>) -> mpsc::Sender<Change> {
        let (sender, mut changes) = mpsc::channel(1);
        let (guest, store, limits) = (self.guest.clone(), self.store.clone(), self.limits);
        tasks.spawn(async move {
            while let Some(change) = changes.recv().await {
                guest.tell(Told { store: store.clone(), limits, change }).await;
            }
        });
        sender
    }
}
