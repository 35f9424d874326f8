//! The order in which a runtime comes up and goes down.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::{select_all, try_join_all};
use tempo_backend::{ByteBudget, DATA};
use tempo_core::{BootContext, Limits, LogBudget, Running, StoreData, Workload, WorkloadBuilder};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tempo_telemetry::{Health, RuntimePhase, Telemetry};
use tokio::task::JoinSet;

use crate::cli::Sources;
use crate::command;
use crate::engine::TICK;
use crate::grants::{Grants, Io};
use crate::interfaces::Interfaces;
use crate::load::{Loaded, load};
use crate::own_files::OwnFiles;
use crate::registry::{Connected, ServiceEntry, TriggerEntry, trigger_state};
use crate::reporting::Reporting;
use crate::signals::{Signals, Stop};
use crate::{background, epoch, granted, grants, inspect, link, log_output};

/// A runtime's name, services and triggers.
pub struct Parts<'a> {
    /// The runtime's name.
    pub runtime: &'a str,
    /// The runtime's version.
    pub version: &'a str,
    /// What it offers to components.
    pub services: &'a [ServiceEntry],
    /// What calls components.
    pub triggers: &'a [TriggerEntry],
}

impl Parts<'_> {
    /// The flags of all that the component may be granted something by.
    fn flags(&self) -> Vec<Flag> {
        let services = self.services.iter().flat_map(|service| &service.flags);
        let triggers = self.triggers.iter().flat_map(|trigger| &trigger.flags);
        grants::FLAGS.iter().chain(services).chain(triggers).copied().collect()
    }
}

/// A thousand years: no limit, in a form that can be added to an instant.
const UNLIMITED: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// How long work that was left to threads may take when the process ends, such as the rest of a file that is written.
const LINGER: Duration = Duration::from_secs(2);

/// Loads `path`, and serves it until asked to stop or runs it once.
///
/// # Errors
///
/// Whatever stops a component from running; the error says what to do.
pub fn run(
    parts: &Parts<'_>,
    path: &Path,
    arguments: Vec<String>,
    sources: &Sources,
    signals: Signals,
) -> anyhow::Result<u8> {
    let settings = &sources.settings;
    let limits = Limits::from_settings(settings)?;
    let loaded = load(path, &limits, settings, &link::concurrent_packages(parts.services))?;
    let interfaces = Interfaces::of(&loaded.component);
    let serving: Vec<_> =
        parts.triggers.iter().filter(|trigger| exported(&interfaces, |name| trigger.calls(name))).collect();
    if serving.is_empty() && !command::is_command(&interfaces) {
        return Err(no_handler(path, &interfaces, parts.triggers).into());
    }
    let needed = needed(parts.services, &serving, &interfaces);
    let pre = link::link(parts.runtime, &loaded.component, &loaded.shape, &interfaces, parts.services)?;
    epoch::advance(pre.engine()).context("cannot start the epoch thread")?;
    let health = Health::default();
    let reporting = report(parts, &loaded, settings, &health)?;
    let telemetry = reporting.telemetry();
    let (background, spawn) = background::start().context("cannot start the background threads")?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = main.block_on(async {
        let mut beating = JoinSet::new();
        beating.spawn(health.heartbeat("the main loop").run());
        let io = if serving.is_empty() { Io::Process(command_line(path, arguments)) } else { log_io(&loaded, &limits) };
        let limits = if serving.is_empty() { unlimited_time(limits) } else { limits };
        let own_files = OwnFiles::of(path, sources, has_stores(&needed))?;
        let grants = Grants::from_settings(settings, &limits, io, &own_files)?;
        health.enter(RuntimePhase::Connecting);
        let boot = BootContext::new(&loaded.name, &limits, settings);
        let boot = BootContext { telemetry: &telemetry, health: Some(&health), ..boot };
        let connected: Arc<[Connected]> = connect(&needed, boot).await?.into();
        let kept = connected.iter().filter_map(|backend| backend.announcement.clone());
        let announcements: Vec<String> = kept.chain(reporting.announcements().iter().cloned()).collect();
        let granted = granted::line(&parts.flags(), settings, serving.is_empty());
        let workload = Workload::from(WorkloadBuilder {
            name: loaded.name.clone(),
            component: pre,
            concurrent: loaded.shape.concurrent,
            tick: TICK,
            data: store_data(grants, connected.clone(), limits.clone(), telemetry.clone()),
            limits,
            background: spawn,
            telemetry: telemetry.clone(),
            health: health.clone(),
        });
        if serving.is_empty() {
            health.enter(RuntimePhase::Ready);
            say(sources, granted.as_deref());
            run_once(workload, &interfaces, signals).await
        } else {
            let triggers = Triggers { entries: &serving, connected: &connected };
            serve(workload, triggers, sources, signals, (&announcements, granted)).await
        }
    });
    background.shutdown_background();
    reporting.flush();
    // A thread that waits for a file or a name must not keep the process: nothing can end it.
    let linger = if matches!(exit, Ok(Exit::Stopped(_))) { Duration::ZERO } else { LINGER };
    main.shutdown_timeout(linger);
    exit.map(|exit| match exit {
        Exit::Done(code) => code,
        Exit::Stopped(stop) => stop.exit_code(),
    })
}

/// Starts what tells of the process, and tells it what is going to run.
fn report(parts: &Parts<'_>, loaded: &Loaded, settings: &Settings, health: &Health) -> anyhow::Result<Reporting> {
    let reporting = Reporting::start((parts.runtime, parts.version), &loaded.name, settings, health)?;
    if reporting.is_shown() {
        let report = inspect::inspect(parts.runtime, loaded, parts.services, parts.triggers)?;
        reporting.describe(serde_json::to_value(report)?, &parts.flags(), settings);
    }
    Ok(reporting)
}

/// How the work of a runtime ended, with the exit code.
enum Exit {
    /// By itself, or as it was asked to.
    Done(u8),
    /// By a signal, before it was done.
    Stopped(Stop),
}

fn exported(interfaces: &Interfaces, predicate: impl Fn(&str) -> bool) -> bool {
    interfaces.exports.iter().any(|export| predicate(export))
}

/// The services that the component imports, and those that the triggers need which will call it.
fn needed<'a>(
    services: &'a [ServiceEntry],
    triggers: &[&TriggerEntry],
    interfaces: &Interfaces,
) -> Vec<&'a ServiceEntry> {
    let imported = |service: &ServiceEntry| interfaces.imports.iter().any(|import| service.offers(import));
    let called = |service: &ServiceEntry| triggers.iter().any(|trigger| trigger.service == service.id);
    services.iter().filter(|service| imported(service) || called(service)).collect()
}

/// Whether one of `services` may keep something in the data directory.
fn has_stores(services: &[&ServiceEntry]) -> bool {
    services.iter().any(|service| service.flags.iter().any(|flag| flag.name == DATA.name))
}

/// Connects the backends of `services` at once.
async fn connect(services: &[&ServiceEntry], boot: BootContext<'_>) -> anyhow::Result<Vec<Connected>> {
    try_join_all(services.iter().map(|service| (service.connect)(boot))).await
}

type MakeData = Box<dyn Fn() -> wasmtime::Result<StoreData> + Send + Sync>;

fn store_data(grants: Grants, connected: Arc<[Connected]>, limits: Limits, telemetry: Telemetry) -> MakeData {
    let refusals = Arc::new(LogBudget::new(&limits));
    Box::new(move || {
        let bytes = ByteBudget::with_telemetry(limits.host_memory, telemetry.clone());
        let data =
            StoreData::new(grants.context(&bytes)?, &limits, bytes.clone()).with_reporting(&telemetry, &refusals);
        Ok(connected.iter().fold(data, |data, service| data.with((service.state)(&bytes))))
    })
}

/// The triggers to start, and the services that they start with.
#[derive(Clone, Copy)]
struct Triggers<'a> {
    entries: &'a [&'a TriggerEntry],
    connected: &'a [Connected],
}

impl Triggers<'_> {
    /// Starts all of them at once.
    async fn start(self, workload: &Workload, settings: &Settings) -> anyhow::Result<Vec<Box<dyn Running>>> {
        let started = self.entries.iter().map(|trigger| {
            let bytes = ByteBudget::with_telemetry(workload.limits().host_memory, workload.telemetry().clone());
            (trigger.start)(workload.clone(), settings, trigger_state(trigger, self.connected, &bytes))
        });
        try_join_all(started).await
    }
}

async fn serve(
    workload: Workload,
    triggers: Triggers<'_>,
    sources: &Sources,
    mut signals: Signals,
    (announcements, granted): (&[String], Option<String>),
) -> anyhow::Result<Exit> {
    let (delay, drain) = (workload.limits().shutdown_delay, workload.limits().drain);
    let health = workload.health().clone();
    let mut running = triggers.start(&workload, &sources.settings).await?;
    let unused: Vec<Error> = running.iter().filter_map(|trigger| trigger.unused()).collect();
    if unused.len() == running.len() {
        let all = unused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(Error::new(ErrorKind::BadConfiguration, all).into());
    }
    running.retain(|trigger| trigger.unused().is_none());
    signals.serve();
    health.enter(RuntimePhase::Ready);
    for trigger in &running {
        log_output::say(&trigger.announcement());
    }
    // After the address, which is the first line.
    for announcement in announcements {
        log_output::say(announcement);
    }
    say(sources, granted.as_deref());
    running.iter().for_each(|trigger| trigger.log_start());
    for unused in unused {
        tracing::warn!("{unused}");
    }
    let stop = tokio::select! {
        stop = signals.next() => Ok(stop),
        error = failed(&mut running) => Err(error),
    };
    health.enter(RuntimePhase::Stopping);
    let failure = match stop {
        Ok(stop) if stop.by_supervisor() => serve_on(&mut running, delay).await,
        stop => stop.err(),
    };
    // From here on a signal ends the process at once, be it the first or the second.
    drop(signals);
    tracing::info!("stopping: running work has {} s to finish", drain.as_secs());
    let deadline = Instant::now() + drain;
    futures::future::join_all(running.into_iter().map(|trigger| trigger.drain(deadline))).await;
    failure.map_or(Ok(Exit::Done(0)), Err)
}

/// Logs what the component is granted, and what the user should know of the settings.
fn say(sources: &Sources, granted: Option<&str>) {
    if let Some(granted) = granted {
        tracing::info!("{granted}");
    }
    sources.notices.log();
}

/// Resolves when one of `running` can no longer work.
async fn failed(running: &mut [Box<dyn Running>]) -> anyhow::Error {
    select_all(running.iter_mut().map(|trigger| trigger.failed())).await.0
}

/// Serves for `delay` more, while the runtime says that it is not ready: what sends requests needs time to notice. Work that is
/// fetched is left to others from now on.
async fn serve_on(running: &mut [Box<dyn Running>], delay: Duration) -> Option<anyhow::Error> {
    if delay.is_zero() {
        return None;
    }
    running.iter_mut().for_each(|trigger| trigger.stop_fetching());
    tracing::info!("stopping: not ready any more; serving goes on for {delay:?}");
    tokio::time::timeout(delay, failed(running)).await.ok()
}

async fn run_once(workload: Workload, interfaces: &Interfaces, mut signals: Signals) -> anyhow::Result<Exit> {
    signals.run_command();
    tokio::select! {
        status = command::run(workload, interfaces) => status.map(Exit::Done),
        stop = signals.next() => Ok(Exit::Stopped(stop)),
    }
}

/// A command may compute and wait as long as it likes: nobody waits for a response.
fn unlimited_time(limits: Limits) -> Limits {
    let mut limits = limits;
    limits.cpu = UNLIMITED;
    limits.request = UNLIMITED;
    limits
}

fn command_line(path: &Path, arguments: Vec<String>) -> Vec<String> {
    let program = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect()
}

fn log_io(loaded: &Loaded, limits: &Limits) -> Io {
    Io::Log { component: loaded.name.as_str().into(), budget: Arc::new(LogBudget::new(limits)) }
}

fn no_handler(path: &Path, interfaces: &Interfaces, triggers: &[TriggerEntry]) -> Error {
    let mut wanted: Vec<&str> = triggers.iter().flat_map(|trigger| trigger.exports).copied().collect();
    wanted.push(command::RUN);
    let exports = if interfaces.exports.is_empty() { "nothing".to_owned() } else { interfaces.exports.join(", ") };
    let message = format!("{}: exports none of: {}; it exports {exports}", path.display(), wanted.join(", "));
    Error::new(ErrorKind::BadComponent, message)
}
