//! `RunningWatcher`: the components that watch stores, and those that replace them.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::{join_all, select_all};
use tempo_core::{AnyComponent, AppComponent, Instances, Running};
use tempo_settings::Error;
use tokio::task::JoinSet;

use super::component::{OpenedComponent, WatchingComponent};
use super::guest::Watcher;
use crate::WasiKeyValue;

/// A running watcher. Dropping it aborts its tasks.
pub(super) struct RunningWatcher {
    components: Vec<WatchingComponent>,
    /// Finish the calls of previous components.
    stopping: JoinSet<()>,
    prepared: Vec<Prepared>,
}

/// A component that is to watch next.
enum Prepared {
    /// It goes on unchanged.
    Kept(String),
    /// Its stores stay watched, with other instances.
    Replaced(String, Arc<Instances<Watcher>>),
    /// Its stores are watched anew.
    Opened(OpenedComponent),
}

impl RunningWatcher {
    pub(super) fn start(opened: Vec<OpenedComponent>) -> Self {
        let components = opened.into_iter().map(OpenedComponent::start).collect();
        Self { components, stopping: JoinSet::new(), prepared: Vec::new() }
    }

    /// Returns how to go on with `component`, unless its stores have to be watched anew.
    fn keep(&self, component: &AppComponent<WasiKeyValue>) -> Result<Option<Prepared>, Error> {
        let AppComponent { workload, state, .. } = component;
        let name = workload.name().to_owned();
        if let Some(running) = self.components.iter().find(|running| running.name() == name) {
            if running.is_of(workload) {
                return Ok(Some(Prepared::Kept(name)));
            }
            if let Some(instances) = running.replacement(workload, state)? {
                return Ok(Some(Prepared::Replaced(name, instances)));
            }
        }
        Ok(None)
    }

    /// Removes the running component `name`.
    fn take(&mut self, name: &str) -> Option<WatchingComponent> {
        let index = self.components.iter().position(|running| running.name() == name)?;
        Some(self.components.swap_remove(index))
    }

    /// Stops `component`, in the background.
    fn stop(&mut self, component: WatchingComponent) {
        while self.stopping.try_join_next().is_some() {}
        let deadline = Instant::now() + component.drain_timeout();
        self.stopping.spawn(component.drain(deadline));
    }
}

#[async_trait]
impl Running for RunningWatcher {
    fn announcement(&self) -> String {
        let names: Vec<&str> = self.components.iter().flat_map(WatchingComponent::stores).collect();
        format!("watching keyvalue stores: {}", names.join(", "))
    }

    async fn failed(&mut self) -> Error {
        if self.components.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.components.iter_mut().map(|component| Box::pin(component.failed()))).await.0
    }

    async fn prepare(&mut self, components: Vec<AnyComponent>) -> Result<(), Error> {
        let mut prepared = Vec::new();
        for component in components.into_iter().filter(|component| component.exports) {
            let component = component.downcast()?;
            prepared.push(match self.keep(&component)? {
                Some(kept) => kept,
                None => Prepared::Opened(OpenedComponent::open(component.workload, &component.state).await?),
            });
        }
        self.prepared = prepared;
        Ok(())
    }

    fn commit(&mut self) {
        let mut next = Vec::new();
        for prepared in std::mem::take(&mut self.prepared) {
            match prepared {
                Prepared::Kept(name) => next.extend(self.take(&name)),
                Prepared::Replaced(name, instances) => {
                    next.extend(self.take(&name).inspect(|it| it.replace(instances)));
                }
                Prepared::Opened(opened) => {
                    if let Some(previous) = self.take(opened.name()) {
                        self.stop(previous);
                    }
                    next.push(opened.start());
                }
            }
        }
        for gone in std::mem::replace(&mut self.components, next) {
            self.stop(gone);
        }
    }

    fn roll_back(&mut self) {
        self.prepared.clear();
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        let components = std::mem::take(&mut self.components);
        let stopping = async { while self.stopping.join_next().await.is_some() {} };
        let stopping = tokio::time::timeout_at(deadline.into(), stopping);
        let (_, _) = tokio::join!(join_all(components.into_iter().map(|it| it.drain(deadline))), stopping);
    }
}
