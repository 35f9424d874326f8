//! Serves the components of a process until a signal arrives.

use std::time::{Duration, Instant};

use futures::future::{select_all, try_join_all};
use tempo_core::{Limits, Running};
use tempo_settings::{Error, ErrorKind};
use tempo_telemetry::{Health, RuntimePhase};

use super::component::ConnectedComponent;
use super::{Exit, Parts};
use crate::loaded_settings::LoadedSettings;
use crate::log_output;
use crate::registry::{StartComponent, TriggerEntry, trigger_state};
use crate::signals::Signals;

/// The lines to write for the user once the components are served.
pub(super) struct Announcements {
    /// Those of the backends and of telemetry.
    pub lines: Vec<String>,
    /// The grants, a line for each component that has any.
    pub granted: Vec<String>,
}

/// Starts the triggers of all `components`. Those of an app share a trigger if it can.
async fn start(
    parts: &Parts<'_>,
    components: &[ConnectedComponent<'_>],
    in_app: bool,
) -> Result<Vec<Box<dyn Running>>, Error> {
    let is_called = |trigger: &&TriggerEntry| components.iter().any(|component| calls(trigger, component));
    let started = parts.triggers.iter().filter(is_called).map(|trigger| async move {
        match components {
            [one] if !in_app => {
                let state = trigger_state(trigger, &one.backends, &one.store_context());
                Ok(vec![(trigger.start)(one.workload.clone(), one.linked.settings, state).await?])
            }
            several => {
                let having = several.iter().filter(|component| trigger.is_served(&component.backends));
                let having = having.map(|component| StartComponent {
                    workload: component.workload.clone(),
                    settings: component.linked.settings.clone(),
                    state: trigger_state(trigger, &component.backends, &component.store_context()),
                    exports: calls(trigger, component),
                });
                (trigger.start_app)(having.collect()).await
            }
        }
    });
    let started = try_join_all(started).await?;
    Ok(started.into_iter().flatten().collect())
}

fn calls(trigger: &TriggerEntry, component: &ConnectedComponent<'_>) -> bool {
    component.linked.serving.iter().any(|serving| std::ptr::eq(*serving, trigger))
}

/// Serves `components` until a signal arrives or a trigger fails.
pub(super) async fn serve(
    parts: &Parts<'_>,
    (components, in_app): (&[ConnectedComponent<'_>], bool),
    limits: &Limits,
    health: &Health,
    loaded_settings: &LoadedSettings,
    mut signals: Signals,
    announcements: Announcements,
) -> anyhow::Result<Exit> {
    let (delay, drain) = (limits.shutdown_delay, limits.drain);
    let mut running = start(parts, components, in_app).await?;
    let unused: Vec<Error> = running.iter().filter_map(|trigger| trigger.unused()).collect();
    if unused.len() == running.len() {
        let all = unused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(Error::new(ErrorKind::BadConfiguration, all).into());
    }
    running.retain(|trigger| trigger.unused().is_none());
    signals.serve();
    health.enter(RuntimePhase::Ready);
    for trigger in &running {
        log_output::write_line(&trigger.announcement());
    }
    // After those of the triggers, because the first line is the address.
    for announcement in &announcements.lines {
        log_output::write_line(announcement);
    }
    log_notices(loaded_settings, &announcements.granted);
    running.iter().for_each(|trigger| trigger.log_start());
    for unused in unused {
        tracing::warn!("{unused}");
    }
    let stop = tokio::select! {
        signal = signals.next() => Ok(signal),
        error = failed(&mut running) => Err(error),
    };
    health.enter(RuntimePhase::Stopping);
    let failure = match stop {
        Ok(signal) if signal.by_supervisor() => serve_for(&mut running, delay).await,
        stop => stop.err(),
    };
    // From here on any signal ends the process at once.
    drop(signals);
    tracing::info!("stopping: running work has {} s to finish", drain.as_secs());
    let deadline = Instant::now() + drain;
    futures::future::join_all(running.into_iter().map(|trigger| trigger.drain(deadline))).await;
    failure.map_or(Ok(Exit::Done(0)), |error| Err(error.into()))
}

/// Logs the grants of the components and the warnings about the settings.
pub(super) fn log_notices(loaded_settings: &LoadedSettings, granted: &[String]) {
    for granted in granted {
        tracing::info!("{granted}");
    }
    loaded_settings.notices.log();
}

/// Resolves when one of `running` fails.
async fn failed(running: &mut [Box<dyn Running>]) -> Error {
    select_all(running.iter_mut().map(|trigger| trigger.failed())).await.0
}

/// Serves clients for `delay` while the runtime is not ready, so that load balancers have time to notice. Stops fetching work
/// that other programs can fetch. Returns the error of a trigger that fails meanwhile.
async fn serve_for(running: &mut [Box<dyn Running>], delay: Duration) -> Option<Error> {
    if delay.is_zero() {
        return None;
    }
    running.iter_mut().for_each(|trigger| trigger.stop_fetching());
    tracing::info!("stopping: no longer ready; still serving for {delay:?}");
    tokio::time::timeout(delay, failed(running)).await.ok()
}
