//! The keyvalue watcher: the trigger that calls the exported `watcher` for every change.

mod guest;
mod lanes;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tempo_core::{Instances, Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::guest::Watcher;
use self::lanes::Watched;
use crate::{KeyValueCtx, KeyValueStore, WasiKeyValue};

/// The trigger that calls components which export `wasi:keyvalue/watcher` or `wasmcloud:keyvalue/watcher` for every
/// change of their stores, by any writer.
///
/// Changes of one key are delivered in order, those of different keys concurrently. An instance handles one change at a
/// time. A failed call is logged and not retried. Changes are not stored: a component receives those made after its start.
#[derive(Clone, Copy, Debug)]
pub struct KeyValueWatcher;

#[async_trait]
impl Trigger for KeyValueWatcher {
    type Service = WasiKeyValue;

    const EXPORTS: &'static [&'static str] = &["wasi:keyvalue/watcher", "wasmcloud:keyvalue/watcher"];

    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn start(workload: Workload, _: &Settings, state: KeyValueCtx) -> tempo_settings::Result<Box<dyn Running>> {
        let watcher = Watcher::find(workload.component()).map_err(Error::internal)?;
        let instances = Arc::new(Instances::new(workload, watcher, 1));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut names = Vec::new();
        let mut known: Vec<&Arc<dyn KeyValueStore>> = Vec::new();
        for (name, store) in state.stores().iter() {
            names.push(name);
            // A store with two names is watched once.
            if known.iter().any(|known| Arc::ptr_eq(known, store)) {
                continue;
            }
            known.push(store);
            let watched = Watched { instances: instances.clone(), name: name.into() };
            let unwatched = |error: crate::Error| {
                Error::new(ErrorKind::Unavailable, format!("cannot watch `{name}`")).with_source(error)
            };
            tasks.spawn(watched.run(store.watch().await.map_err(unwatched)?, stopped.clone()));
        }
        let announcement = format!("watching keyvalue stores: {}", names.join(", "));
        let mut reaper = JoinSet::new();
        reaper.spawn(instances.reap_forever());
        Ok(Box::new(Watching { announcement, stop, tasks, _reaper: reaper }))
    }
}

/// A running watcher. Dropping it aborts its tasks.
struct Watching {
    announcement: String,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _reaper: JoinSet<()>,
}

#[async_trait]
impl Running for Watching {
    fn announcement(&self) -> String {
        self.announcement.clone()
    }

    async fn failed(&mut self) -> Error {
        match self.tasks.join_next().await {
            Some(_) => Error::internal("the changes of a keyvalue store have ended"),
            // Without stores, nothing can fail.
            None => std::future::pending().await,
        }
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        let _ = self.stop.send(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        // Remaining calls end when their tasks are dropped.
        let _ = tokio::time::timeout_at(deadline.into(), finished).await;
    }
}

#[cfg(test)]
mod tests;
