//! Serves the components of a process until a signal arrives, and replaces them when they are reloaded.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempo_settings::{Error, ErrorKind, one_line};
use tempo_telemetry::RuntimePhase;
use tokio::task::JoinSet;
use tracing::Level;

use super::connect::ConnectedComponent;
use super::reload::{Process, Version};
use super::triggers::Triggers;
use super::{Exit, describe, granted_line};
use crate::links::Callee;
use crate::log_line;
use crate::reload_metrics::count_reload;
use crate::reloads::{ReloadRequest, Reloaded, Reloads};
use crate::reporting::Reporting;
use crate::signals::{Signal, Signals, StopSignal};

/// Interval at which idle instances of linked components are dropped.
const REAP_INTERVAL: Duration = Duration::from_millis(500);

/// A version that is being made.
type NextVersion = Pin<Box<dyn Future<Output = anyhow::Result<Version>> + Send>>;

/// A request with the time of its beginning, and the version that is being made for it.
type Loading = (ReloadRequest, Instant, NextVersion);

/// The components of a process while they are served.
pub(super) struct Serving<'a> {
    process: Process,
    reporting: &'a Reporting,
    version: Version,
    triggers: Triggers,
    /// Drops idle instances of linked components.
    reaper: JoinSet<()>,
    /// End the last calls of replaced components.
    retiring: JoinSet<()>,
}

impl<'a> Serving<'a> {
    /// Starts the triggers of `version`.
    ///
    /// # Errors
    ///
    /// A trigger cannot start, or none has work.
    pub(super) async fn start(
        process: Process,
        reporting: &'a Reporting,
        version: Version,
        signals: &Signals,
    ) -> anyhow::Result<Self> {
        let reaper = start_links(&version.components);
        let in_app = version.plan.app.is_some();
        let mut triggers = Triggers::start(&process.parts, &version.components, in_app).await?;
        let unused = triggers.remove_unused().map_err(|unused| {
            let all = unused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Error::new(ErrorKind::BadConfiguration, all)
        })?;
        signals.serve();
        process.health.enter(RuntimePhase::Ready);
        for trigger in triggers.running() {
            log_line::write(Level::INFO, &trigger.announcement());
        }
        // After those of the triggers, because the first line is the address.
        let backends = version.components.iter().flat_map(|component| component.backends.iter());
        let lines = backends.filter_map(|backend| backend.announcement.as_ref()).chain(reporting.announcements());
        lines.for_each(|line| log_line::write(Level::INFO, line));
        log_grants(&process, &version, &version.components);
        version.settings.notices.log();
        triggers.running().for_each(|trigger| trigger.log_start());
        for unused in unused {
            tracing::warn!("{unused}");
        }
        Ok(Self { process, reporting, version, triggers, reaper, retiring: JoinSet::new() })
    }

    /// Serves until a signal stops the process or a trigger fails.
    pub(super) async fn run(mut self, signals: &mut Signals, reloads: &mut Reloads) -> anyhow::Result<Exit> {
        let stop = self.until_stopped(signals, reloads).await;
        self.process.health.enter(RuntimePhase::Stopping);
        let limits = self.version.plan.limits.clone();
        let failure = match stop {
            Ok(signal) if signal.by_supervisor() => self.serve_for(limits.shutdown_delay).await,
            stop => stop.err(),
        };
        // From here on a further signal to stop ends the process at once.
        signals.close();
        tracing::info!("stopping: running work has {} s to finish", limits.drain.as_secs());
        self.triggers.drain(Instant::now() + limits.drain).await;
        drop((self.reaper, self.retiring));
        failure.map_or(Ok(Exit::Drained), |error| Err(error.into()))
    }

    /// Serves, and reloads when asked. Returns the signal that stops the process.
    async fn until_stopped(&mut self, signals: &mut Signals, reloads: &mut Reloads) -> Result<StopSignal, Error> {
        let (mut waiting, mut loading): (Option<ReloadRequest>, Option<Loading>) = (None, None);
        loop {
            if loading.is_none() {
                loading = waiting.take().map(|request| (request, Instant::now(), self.next_version()));
            }
            let is_free = waiting.is_none() && loading.is_none();
            let loaded = async {
                match &mut loading {
                    Some((.., next)) => next.await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop(signal) => return Ok(signal),
                    Signal::Reload => {
                        waiting = Some(ReloadRequest::of_signal());
                        continue;
                    }
                },
                error = self.triggers.failed() => return Err(error),
                request = reloads.next(), if is_free => {
                    waiting = Some(request);
                    continue;
                }
                next = loaded => next,
            };
            let Some((request, begun, _)) = loading.take() else { continue };
            match unless_stopped(self.replace(next, begun), signals, &mut waiting).await {
                Ok(outcome) => self.report(request, outcome),
                Err(signal) => {
                    self.triggers.roll_back();
                    return Ok(signal);
                }
            }
        }
    }

    /// Begins to make the next version.
    fn next_version(&self) -> NextVersion {
        let Version { settings, plan, components } = &self.version;
        let previous = (plan.clone(), settings.settings.clone(), components.clone());
        Box::pin(self.process.clone().next_version(previous))
    }

    /// Serves `next` from now on. New calls go to its components, and those that run go on.
    async fn replace(&mut self, next: anyhow::Result<Version>, begun: Instant) -> anyhow::Result<Reloaded> {
        let next = next?;
        let (previous, in_app) = (&self.version.components, next.plan.app.is_some());
        let parts = &self.process.parts;
        let prepared = self.triggers.prepare(parts, (previous, &next.components), in_app).await?;
        let drain = self.version.plan.limits.drain;
        // From here on, nothing waits and nothing fails.
        let replaced = without(previous, &next.components);
        let retired: Vec<_> = replaced.iter().map(|component| component.workload.retire()).collect();
        self.reaper = start_links(&next.components);
        self.triggers.commit(prepared, Instant::now() + drain);
        while self.retiring.try_join_next().is_some() {}
        for retired in retired {
            self.retiring.spawn(retired.end_calls_after(drain));
        }
        let added = without(&next.components, previous);
        let mut names: Vec<String> = Vec::new();
        for component in replaced.iter().chain(&added) {
            let name = &component.linked.loaded.name;
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let settings = self.process.parts.changed_flags(&self.version.settings.settings, &next.settings.settings);
        log_grants(&self.process, &next, &added);
        next.settings.notices.log();
        self.version = next;
        if let Err(error) = describe(&self.process.parts, &self.version.plan, self.reporting) {
            tracing::warn!("the dashboard shows the previous components: {}", one_line(error.as_ref()));
        }
        Ok(Reloaded { components: names, settings, duration: begun.elapsed() })
    }

    /// Logs and counts the outcome of a reload.
    fn report(&self, request: ReloadRequest, outcome: anyhow::Result<Reloaded>) {
        count_reload(&self.process.telemetry, outcome.is_ok());
        let outcome = outcome.map_err(|error| one_line(error.as_ref()));
        // What waits for it reports it.
        let outcome = match request.done {
            Some(done) => done.send(outcome).err(),
            None => Some(outcome),
        };
        let reason = &request.reason;
        match outcome {
            Some(Ok(reloaded)) => tracing::info!("reloaded ({reason}): {}", reloaded.summary()),
            Some(Err(error)) => tracing::error!("not reloaded ({reason}), the previous version goes on: {error}"),
            None => {}
        }
    }

    /// Serves clients for `delay` while the runtime is not ready, so that load balancers have time to notice. Stops fetching work
    /// that other programs can fetch. Returns the error of a trigger that fails meanwhile.
    async fn serve_for(&mut self, delay: Duration) -> Option<Error> {
        if delay.is_zero() {
            return None;
        }
        self.triggers.stop_fetching();
        tracing::info!("stopping: no longer ready; still serving for {delay:?}");
        tokio::time::timeout(delay, self.triggers.failed()).await.ok()
    }
}

/// Awaits `work`, and drops it if a signal stops the process. A request to reload that arrives meanwhile is `waiting`.
async fn unless_stopped<R>(
    work: impl Future<Output = R>,
    signals: &mut Signals,
    waiting: &mut Option<ReloadRequest>,
) -> Result<R, StopSignal> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return Ok(result),
            signal = signals.next() => match signal {
                Signal::Stop(signal) => return Err(signal),
                Signal::Reload => *waiting = Some(ReloadRequest::of_signal()),
            },
        }
    }
}

/// Returns those of `components` whose workload is none of `others`.
fn without(components: &[ConnectedComponent], others: &[ConnectedComponent]) -> Vec<ConnectedComponent> {
    let is_there =
        |component: &&ConnectedComponent| others.iter().any(|other| other.workload.is_same(&component.workload));
    components.iter().filter(|component| !is_there(component)).cloned().collect()
}

/// Makes the calls of imports run in the components that export them. The task drops idle instances.
fn start_links(components: &[ConnectedComponent]) -> JoinSet<()> {
    let mut callees: Vec<Arc<Callee>> = Vec::new();
    for link in components.iter().flat_map(|component| &component.linked.links) {
        if let Some(exporter) = components.get(link.exporter) {
            link.callee.start(&exporter.workload);
            callees.push(link.callee.clone());
        }
    }
    let mut reaper = JoinSet::new();
    reaper.spawn(async move {
        let mut interval = tokio::time::interval(REAP_INTERVAL);
        loop {
            interval.tick().await;
            callees.iter().for_each(|callee| callee.reap());
        }
    });
    reaper
}

/// Logs the grants of those of `components` that have any.
fn log_grants(process: &Process, version: &Version, components: &[ConnectedComponent]) {
    for component in components {
        if let Some(line) = granted_line(&process.parts, &version.plan, &component.linked) {
            tracing::info!("{line}");
        }
    }
}
