//! `RunningConsumer`: the components whose messages are fetched, and those that replace them.

use std::time::Instant;

use async_trait::async_trait;
use futures::future::{join_all, select_all};
use tempo_core::{AnyComponent, AppComponent, Running};
use tempo_settings::Error;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::component::{DurableConsumer, HandlingComponent, JoinedComponent};
use super::handlers::Handlers;
use super::unsubscribed;
use crate::WasiMessaging;

/// A running consumer. Dropping it aborts its tasks.
pub(super) struct RunningConsumer {
    components: Vec<HandlingComponent>,
    /// Finish the messages of previous subscriptions.
    stopping: JoinSet<()>,
    prepared: Vec<Prepared>,
}

/// A component of which messages are to be handled next.
enum Prepared {
    /// It goes on unchanged.
    Kept(String),
    /// Its subscriptions go on, with other handlers.
    Replaced(String, Handlers),
    /// Its subscriptions are new, and replace others of the same component.
    Joined(JoinedComponent),
}

impl RunningConsumer {
    pub(super) fn start(joined: Vec<JoinedComponent>) -> Self {
        let components = joined.into_iter().map(|component| component.start(None)).collect();
        Self { components, stopping: JoinSet::new(), prepared: Vec::new() }
    }

    /// Returns how to go on with `component`, unless it has to join its subscriptions.
    fn keep(&self, component: &AppComponent<WasiMessaging>) -> Result<Option<Prepared>, Error> {
        let AppComponent { workload, settings, state, .. } = component;
        let name = workload.name().to_owned();
        if let Some(running) = self.components.iter().find(|running| running.name() == name) {
            if running.is_of(workload) {
                return Ok(Some(Prepared::Kept(name)));
            }
            if let Some(handlers) = running.replacement(workload, settings, state)? {
                return Ok(Some(Prepared::Replaced(name, handlers)));
            }
        }
        Ok(None)
    }

    /// Returns the consumers that the brokers keep.
    fn durables(&self) -> Vec<DurableConsumer> {
        self.components.iter().flat_map(|component| component.durables.iter().cloned()).collect()
    }

    /// Removes the running component `name`.
    fn take(&mut self, name: &str) -> Option<HandlingComponent> {
        let index = self.components.iter().position(|running| running.name() == name)?;
        Some(self.components.swap_remove(index))
    }

    /// Stops fetching messages of `component`, in the background. Returns what resolves when its last handler has ended.
    fn stop(&mut self, component: HandlingComponent) -> oneshot::Receiver<()> {
        let (ended, end) = oneshot::channel();
        while self.stopping.try_join_next().is_some() {}
        let deadline = Instant::now() + component.drain_timeout();
        self.stopping.spawn(async move {
            component.drain(deadline).await;
            // Fails if nothing waits for it.
            let _ = ended.send(());
        });
        end
    }
}

#[async_trait]
impl Running for RunningConsumer {
    fn announcement(&self) -> String {
        let lines = self.components.iter().flat_map(|component| component.announcements.iter());
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn log_start(&self) {
        self.components.iter().for_each(HandlingComponent::log_start);
    }

    async fn failed(&mut self) -> Error {
        if self.components.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.components.iter_mut().map(|component| Box::pin(component.failed()))).await.0
    }

    fn stop_fetching(&mut self) {
        self.components.iter_mut().for_each(HandlingComponent::stop_fetching);
    }

    async fn prepare(&mut self, components: Vec<AnyComponent>) -> Result<(), Error> {
        let mut prepared = Vec::new();
        for component in components.into_iter().filter(|component| component.exports) {
            let component = component.downcast()?;
            if let Some(kept) = self.keep(&component)? {
                prepared.push(kept);
                continue;
            }
            let AppComponent { workload, settings, state, .. } = component;
            let name = workload.name().to_owned();
            match JoinedComponent::join(workload, &settings, &state).await? {
                Some(joined) => prepared.push(Prepared::Joined(joined)),
                None => tracing::warn!("{}", unsubscribed(&name)),
            }
        }
        self.prepared = prepared;
        Ok(())
    }

    fn commit(&mut self) {
        let previous = self.durables();
        let mut next = Vec::new();
        for prepared in std::mem::take(&mut self.prepared) {
            match prepared {
                Prepared::Kept(name) => next.extend(self.take(&name)),
                Prepared::Replaced(name, handlers) => next.extend(self.take(&name).inspect(|it| it.replace(handlers))),
                Prepared::Joined(joined) => {
                    let previous = self.take(joined.name()).map(|previous| self.stop(previous));
                    let started = joined.start(previous);
                    started.announcements.iter().for_each(|line| tracing::info!("{line}"));
                    started.log_start();
                    next.push(started);
                }
            }
        }
        for gone in std::mem::replace(&mut self.components, next) {
            drop(self.stop(gone));
        }
        let now = self.durables();
        previous.iter().filter(|consumer| !now.contains(consumer)).for_each(log_left);
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

/// Logs a consumer that no component subscribes to any more. Its broker keeps it, with its pending messages.
fn log_left(DurableConsumer { client, name }: &DurableConsumer) {
    tracing::warn!(
        "no component subscribes to the consumer {name} of {client} any more, and it keeps its messages; `tempo messages \
         remove-consumer {name} --broker {client}` removes it, and `tempo messages move {name} --to NAME` gives it to another component"
    );
}
