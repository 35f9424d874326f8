//! A component that watches stores: the changes that it gets, and the instances that another version of it replaces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::stream::BoxStream;
use tempo_core::{Instances, Workload};
use tempo_settings::{Error, ErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::guest::Watcher;
use super::lanes::Watched;
use crate::{Change, KeyValueCtx, KeyValueStore};

/// Interval at which idle instances are dropped.
const REAP_INTERVAL: Duration = Duration::from_millis(500);

/// A component whose stores are watched, but whose changes are not delivered yet.
pub(super) struct OpenedComponent {
    instances: Arc<Instances<Watcher>>,
    opened: Vec<(Arc<str>, BoxStream<'static, crate::Result<Change>>)>,
    stores: Vec<(String, Arc<dyn KeyValueStore>)>,
}

/// A component that gets the changes of its stores. Dropping it aborts its tasks.
pub(super) struct WatchingComponent {
    instances: Arc<ArcSwap<Instances<Watcher>>>,
    stores: Vec<(String, Arc<dyn KeyValueStore>)>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _reaper: JoinSet<()>,
}

/// Finds the watcher of `workload`.
fn instances(workload: Workload) -> Result<Arc<Instances<Watcher>>, Error> {
    let watcher = Watcher::find(workload.component()).map_err(Error::internal)?;
    Ok(Arc::new(Instances::new(workload, watcher, 1)))
}

fn stores(state: &KeyValueCtx) -> Vec<(String, Arc<dyn KeyValueStore>)> {
    state.stores().iter().map(|(name, store)| (name.to_owned(), store.clone())).collect()
}

impl OpenedComponent {
    /// Watches all stores of `state`.
    ///
    /// # Errors
    ///
    /// The component has no watcher, or a store cannot be watched.
    pub(super) async fn open(workload: Workload, state: &KeyValueCtx) -> Result<Self, Error> {
        let (instances, stores) = (instances(workload)?, stores(state));
        let mut opened = Vec::new();
        let mut known: Vec<&Arc<dyn KeyValueStore>> = Vec::new();
        for (name, store) in &stores {
            // A store with two names is watched once.
            if known.iter().any(|known| Arc::ptr_eq(known, store)) {
                continue;
            }
            known.push(store);
            let unwatched = |error: crate::Error| {
                Error::new(ErrorKind::Unavailable, format!("cannot watch `{name}`")).with_source(error)
            };
            opened.push((name.as_str().into(), store.watch().await.map_err(unwatched)?));
        }
        Ok(Self { instances, opened, stores })
    }

    /// Returns the name of the component.
    pub(super) fn name(&self) -> &str {
        self.instances.workload().name()
    }

    /// Delivers the changes from now on.
    pub(super) fn start(self) -> WatchingComponent {
        let instances = Arc::new(ArcSwap::new(self.instances));
        let (stop, stopped) = watch::channel(false);
        let (mut tasks, mut reaper) = (JoinSet::new(), JoinSet::new());
        for (name, changes) in self.opened {
            tasks.spawn(Watched { instances: instances.clone(), name }.run(changes, stopped.clone()));
        }
        reaper.spawn(reap_forever(instances.clone()));
        WatchingComponent { instances, stores: self.stores, stop, tasks, _reaper: reaper }
    }
}

impl WatchingComponent {
    /// Returns the name of the component.
    pub(super) fn name(&self) -> String {
        self.instances.load().workload().name().to_owned()
    }

    /// Returns the names of its stores.
    pub(super) fn stores(&self) -> impl Iterator<Item = &str> {
        self.stores.iter().map(|(name, _)| name.as_str())
    }

    /// Returns whether `workload` is the component that gets the changes.
    pub(super) fn is_of(&self, workload: &Workload) -> bool {
        self.instances.load().workload().is_same(workload)
    }

    /// Returns the instances of `workload` if its stores are the same: they stay watched, and only the instances change.
    ///
    /// # Errors
    ///
    /// The component has no watcher.
    pub(super) fn replacement(
        &self,
        workload: &Workload,
        state: &KeyValueCtx,
    ) -> Result<Option<Arc<Instances<Watcher>>>, Error> {
        let wanted = stores(state);
        let is_same = |((name, store), (other_name, other)): (&(String, Arc<dyn KeyValueStore>), &(String, _))| {
            name == other_name && Arc::ptr_eq(store, other)
        };
        let same = wanted.len() == self.stores.len() && wanted.iter().zip(&self.stores).all(is_same);
        same.then(|| instances(workload.clone())).transpose()
    }

    /// Delivers further changes to `instances`.
    pub(super) fn replace(&self, instances: Arc<Instances<Watcher>>) {
        self.instances.swap(instances).reap();
    }

    /// Returns the time that running calls have when the component is stopped.
    pub(super) fn drain_timeout(&self) -> Duration {
        self.instances.load().workload().limits().drain
    }

    /// Resolves when the changes of a store have ended.
    pub(super) async fn failed(&mut self) -> Error {
        match self.tasks.join_next().await {
            Some(_) => Error::internal("the changes of a keyvalue store have ended"),
            // Without stores, nothing can fail.
            None => std::future::pending().await,
        }
    }

    /// Delivers no more changes, and waits for running calls until `deadline`.
    pub(super) async fn drain(mut self, deadline: Instant) {
        let _ = self.stop.send(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        // Remaining calls end when their tasks are dropped.
        let _ = tokio::time::timeout_at(deadline.into(), finished).await;
    }
}

/// Drops instances that were idle for too long, until the future is dropped.
async fn reap_forever(instances: Arc<ArcSwap<Instances<Watcher>>>) {
    let mut interval = tokio::time::interval(REAP_INTERVAL);
    loop {
        interval.tick().await;
        instances.load().reap();
    }
}
