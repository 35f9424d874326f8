//! `Triggers`: those that run, and their change to other components.

use std::ptr;
use std::time::Instant;

use futures::future::{join_all, select_all, try_join_all};
use tempo_core::{AnyComponent, Running};
use tempo_settings::Error;
use tokio::task::JoinSet;

use super::Parts;
use super::connect::ConnectedComponent;
use crate::registry::{TriggerEntry, trigger_state};

/// The triggers that run.
pub(super) struct Triggers {
    running: Vec<RunningTrigger>,
    /// Drain triggers whose components are gone.
    stopping: JoinSet<()>,
}

struct RunningTrigger {
    entry: &'static TriggerEntry,
    running: Box<dyn Running>,
    /// Whether it has prepared to call the next components.
    prepared: bool,
}

/// What was prepared for the next components.
pub(super) struct PreparedTriggers {
    /// Those that have no component to call any more.
    gone: Vec<&'static TriggerEntry>,
    /// Those that had none before.
    started: Vec<RunningTrigger>,
}

impl Triggers {
    /// Starts the triggers of all `components`. Those of an app share a trigger if it can.
    pub(super) async fn start(
        parts: &Parts<'static>,
        components: &[ConnectedComponent],
        in_app: bool,
    ) -> Result<Self, Error> {
        let called = parts.triggers.iter().filter(|entry| is_called(entry, components));
        let started = try_join_all(called.map(|entry| start(entry, components, in_app))).await?;
        Ok(Self { running: started.into_iter().flatten().collect(), stopping: JoinSet::new() })
    }

    /// Removes the triggers that never call a component as it is configured. Returns the reasons, or an error if no other trigger
    /// is left.
    pub(super) fn remove_unused(&mut self) -> Result<Vec<Error>, Vec<Error>> {
        let unused: Vec<Error> = self.running.iter().filter_map(|trigger| trigger.running.unused()).collect();
        self.running.retain(|trigger| trigger.running.unused().is_none());
        if self.running.is_empty() { Err(unused) } else { Ok(unused) }
    }

    /// Returns the triggers.
    pub(super) fn running(&self) -> impl Iterator<Item = &dyn Running> {
        self.running.iter().map(|trigger| &*trigger.running)
    }

    /// Resolves when a trigger fails.
    pub(super) async fn failed(&mut self) -> Error {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.running.iter_mut().map(|trigger| trigger.running.failed())).await.0
    }

    /// Stops fetching work that other programs can fetch.
    pub(super) fn stop_fetching(&mut self) {
        self.running.iter_mut().for_each(|trigger| trigger.running.stop_fetching());
    }

    /// Prepares to call `next` in place of `previous`. Nothing changes before [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// A trigger cannot call the components. All go on with `previous`.
    pub(super) async fn prepare(
        &mut self,
        parts: &Parts<'static>,
        (previous, next): (&[ConnectedComponent], &[ConnectedComponent]),
        in_app: bool,
    ) -> Result<PreparedTriggers, Error> {
        let prepared = self.prepare_all(parts, (previous, next), in_app).await;
        if prepared.is_err() {
            self.roll_back();
        }
        prepared
    }

    async fn prepare_all(
        &mut self,
        parts: &Parts<'static>,
        (previous, next): (&[ConnectedComponent], &[ConnectedComponent]),
        in_app: bool,
    ) -> Result<PreparedTriggers, Error> {
        let mut prepared = PreparedTriggers { gone: Vec::new(), started: Vec::new() };
        let mut absent = Vec::new();
        for entry in parts.triggers {
            let mut running = self.running.iter_mut().filter(|trigger| ptr::eq(trigger.entry, entry));
            match (running.next(), is_called(entry, next)) {
                (Some(_), false) => prepared.gone.push(entry),
                (Some(trigger), true) if has_changed(entry, previous, next) => {
                    trigger.running.prepare(components_of(entry, next)).await?;
                    trigger.prepared = true;
                }
                (None, true) => absent.push(entry),
                _ => {}
            }
        }
        // Last, because they begin calls at once.
        for entry in absent {
            let mut started = start(entry, next, in_app).await?;
            for unused in started.iter().filter_map(|trigger| trigger.running.unused()) {
                tracing::warn!("{unused}");
            }
            started.retain(|trigger| trigger.running.unused().is_none());
            prepared.started.extend(started);
        }
        Ok(prepared)
    }

    /// Goes on with the previous components.
    pub(super) fn roll_back(&mut self) {
        for trigger in &mut self.running {
            trigger.prepared = false;
            trigger.running.roll_back();
        }
    }

    /// Calls the prepared components from now on. Triggers without a component drain until `deadline`.
    pub(super) fn commit(&mut self, prepared: PreparedTriggers, deadline: Instant) {
        while self.stopping.try_join_next().is_some() {}
        let PreparedTriggers { gone, started } = prepared;
        let is_gone = |trigger: &RunningTrigger| gone.iter().any(|entry| ptr::eq(*entry, trigger.entry));
        let (stopping, mut running) = std::mem::take(&mut self.running).into_iter().partition::<Vec<_>, _>(is_gone);
        // The others go on with the components that they call.
        for trigger in running.iter_mut().filter(|trigger| trigger.prepared) {
            trigger.prepared = false;
            trigger.running.commit();
        }
        for trigger in stopping {
            self.stopping.spawn(trigger.running.drain(deadline));
        }
        for trigger in &started {
            tracing::info!("{}", trigger.running.announcement());
            trigger.running.log_start();
        }
        running.extend(started);
        self.running = running;
    }

    /// Drains all triggers until `deadline`.
    pub(super) async fn drain(mut self, deadline: Instant) {
        join_all(self.running.into_iter().map(|trigger| trigger.running.drain(deadline))).await;
        let stopping = async { while self.stopping.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(deadline.into(), stopping).await;
    }
}

async fn start(
    entry: &'static TriggerEntry,
    components: &[ConnectedComponent],
    in_app: bool,
) -> Result<Vec<RunningTrigger>, Error> {
    let running = match components {
        [one] if !in_app => {
            let state = trigger_state(entry, &one.backends, &one.store_context());
            vec![(entry.start)(one.workload.clone(), &one.linked.settings, state).await?]
        }
        several => (entry.start_app)(components_of(entry, several)).await?,
    };
    Ok(running.into_iter().map(|running| RunningTrigger { entry, running, prepared: false }).collect())
}

/// Returns the components that have the service of the trigger `entry`.
fn components_of(entry: &TriggerEntry, components: &[ConnectedComponent]) -> Vec<AnyComponent> {
    let having = components.iter().filter(|component| entry.is_served(&component.backends));
    let having = having.map(|component| {
        let state = trigger_state(entry, &component.backends, &component.store_context());
        let settings = (*component.linked.settings).clone();
        AnyComponent::new(component.workload.clone(), settings, state, calls(entry, component))
    });
    having.collect()
}

fn calls(entry: &TriggerEntry, component: &ConnectedComponent) -> bool {
    component.linked.serving.iter().any(|serving| ptr::eq(*serving, entry))
}

fn is_called(entry: &TriggerEntry, components: &[ConnectedComponent]) -> bool {
    components.iter().any(|component| calls(entry, component))
}

/// Returns whether the components of the trigger `entry`, or its settings, differ.
fn has_changed(entry: &TriggerEntry, previous: &[ConnectedComponent], next: &[ConnectedComponent]) -> bool {
    let served = |components: &'_ [ConnectedComponent]| -> Vec<ConnectedComponent> {
        components.iter().filter(|component| entry.is_served(&component.backends)).cloned().collect()
    };
    let (previous, next) = (served(previous), served(next));
    let is_same = |(previous, next): (&ConnectedComponent, &ConnectedComponent)| {
        let settings = |flag| previous.linked.settings.has_same(&next.linked.settings, flag);
        previous.workload.is_same(&next.workload) && entry.flags.iter().all(settings)
    };
    previous.len() != next.len() || !previous.iter().zip(&next).all(is_same)
}
