//! The order in which a runtime comes up and goes down.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::{select_all, try_join_all};
use tempo_core::telemetry::Telemetry;
use tempo_core::{
    Boot, ByteBudget, DATA, Error, ErrorKind, Flag, Health, Limits, LogBudget, OpenFiles, Phase, Running, Settings,
    StoreLimiter, Workload, WorkloadBuilder,
};
use tokio::task::JoinSet;
use wasmtime::component::ResourceTable;

use crate::cli::Sources;
use crate::command;
use crate::engine::TICK;
use crate::grants::{Grants, Io};
use crate::interfaces::Interfaces;
use crate::load::{Loaded, load};
use crate::open_files::Sockets;
use crate::own_files::OwnFiles;
use crate::registry::{Connected, ServiceEntry, TriggerEntry};
use crate::reporting::Reporting;
use crate::signals::{Signals, Stop};
use crate::store_data::{Base, StoreData};
use crate::{background, epoch, granted, grants, inspect, link, log_output};

/// A runtime's name, services and triggers.
pub struct Parts<'a, T: 'static> {
    /// The runtime's name.
    pub runtime: &'a str,
    /// The runtime's version.
    pub version: &'a str,
    /// What it offers to components.
    pub services: &'a [ServiceEntry<T>],
    /// What calls components.
    pub triggers: &'a [TriggerEntry<T>],
}

impl<T> Parts<'_, T> {
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
pub fn run<T: StoreData>(
    parts: &Parts<'_, T>,
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
    let pre = link::link(parts.runtime, &loaded.component, &loaded.shape, &interfaces, parts.services)?;
    epoch::advance(pre.engine()).context("cannot start the epoch thread")?;
    let health = Health::default();
    let reporting = report(parts, &loaded, settings, &health)?;
    let telemetry = reporting.telemetry();
    let (background, spawn) = background::start().context("cannot start the background threads")?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = main.block_on(async {
        let mut beating = JoinSet::new();
        beating.spawn(health.pulse("the main loop").keep());
        let io = if serving.is_empty() { Io::Process(command_line(path, arguments)) } else { log_io(&loaded, &limits) };
        let limits = if serving.is_empty() { unlimited_time(limits) } else { limits };
        let own_files = OwnFiles::of(path, sources, has_stores(parts.services, &interfaces))?;
        let grants = Grants::from_settings(settings, &limits, io, &own_files)?;
        health.enter(Phase::Connecting);
        let boot = Boot::new(&loaded.name, &limits, settings);
        let boot = Boot { telemetry: &telemetry, health: Some(&health), ..boot };
        let connected = connect(parts.services, &interfaces, boot).await?;
        let kept = connected.iter().filter_map(|backend| backend.announcement.clone());
        let announcements: Vec<String> = kept.chain(reporting.announcements().iter().cloned()).collect();
        let granted = granted::line(&parts.flags(), settings, serving.is_empty());
        let workload = Workload::from(WorkloadBuilder {
            name: loaded.name.clone(),
            component: pre,
            concurrent: loaded.shape.concurrent,
            tick: TICK,
            data: store_data(grants, connected, limits.clone(), telemetry.clone()),
            limits,
            limiter: |data: &mut T| &mut data.base().limiter,
            table: |data: &mut T| &mut data.base().table,
            open_files: |data: &mut T| &mut data.base().open_files,
            background: spawn,
            telemetry: telemetry.clone(),
            health: health.clone(),
        });
        if serving.is_empty() {
            health.enter(Phase::Ready);
            say(sources, granted.as_deref());
            run_once(workload, &interfaces, signals).await
        } else {
            serve(workload, &serving, sources, signals, (&announcements, granted)).await
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
fn report<T: StoreData>(
    parts: &Parts<'_, T>,
    loaded: &Loaded,
    settings: &Settings,
    health: &Health,
) -> anyhow::Result<Reporting> {
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

/// The services that the component imports.
fn imported<'a, T>(
    services: &'a [ServiceEntry<T>],
    interfaces: &'a Interfaces,
) -> impl Iterator<Item = &'a ServiceEntry<T>> {
    services.iter().filter(|service| interfaces.imports.iter().any(|import| service.offers(import)))
}

/// Whether the component imports a service that may keep something in the data directory.
fn has_stores<T>(services: &[ServiceEntry<T>], interfaces: &Interfaces) -> bool {
    imported(services, interfaces).any(|service| service.flags.iter().any(|flag| flag.name == DATA.name))
}

/// Connects the backends of all imported services at once.
async fn connect<T: StoreData>(
    services: &[ServiceEntry<T>],
    interfaces: &Interfaces,
    boot: Boot<'_>,
) -> anyhow::Result<Vec<Connected<T>>> {
    try_join_all(imported(services, interfaces).map(|service| (service.connect)(boot))).await
}

type MakeData<T> = Box<dyn Fn() -> wasmtime::Result<T> + Send + Sync>;

fn store_data<T: StoreData>(
    grants: Grants,
    connected: Vec<Connected<T>>,
    limits: Limits,
    telemetry: Telemetry,
) -> MakeData<T> {
    let refusals = Arc::new(LogBudget::new(&limits));
    Box::new(move || {
        let limiter = StoreLimiter::new(&limits).told_to(telemetry.clone()).logged_within(refusals.clone());
        let open_files = OpenFiles::new(&limits).told_to(telemetry.clone()).logged_within(refusals.clone());
        let bytes = ByteBudget::of_store(&limits, telemetry.clone());
        let (wasi, table, sockets) = (grants.context(&bytes)?, ResourceTable::new(), Sockets::default());
        let base = Base { wasi, table, limiter, open_files, sockets, bytes };
        let mut data = T::new(base);
        for backend in &connected {
            (backend.equip)(&mut data);
        }
        Ok(data)
    })
}

async fn serve<T: StoreData>(
    workload: Workload<T>,
    triggers: &[&TriggerEntry<T>],
    sources: &Sources,
    mut signals: Signals,
    (announcements, granted): (&[String], Option<String>),
) -> anyhow::Result<Exit> {
    let (delay, drain) = (workload.limits().shutdown_delay, workload.limits().drain);
    let health = workload.health().clone();
    let mut running: Vec<Box<dyn Running>> =
        try_join_all(triggers.iter().map(|trigger| (trigger.start)(workload.clone(), &sources.settings))).await?;
    let unused: Vec<Error> = running.iter().filter_map(|trigger| trigger.unused()).collect();
    if unused.len() == running.len() {
        let all = unused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(Error::new(ErrorKind::BadConfiguration, all).into());
    }
    running.retain(|trigger| trigger.unused().is_none());
    signals.serve();
    health.enter(Phase::Ready);
    for trigger in &running {
        log_output::say(&trigger.announcement());
    }
    // After the address, which is the first line.
    for announcement in announcements {
        log_output::say(announcement);
    }
    say(sources, granted.as_deref());
    running.iter().for_each(|trigger| trigger.announced());
    for unused in unused {
        tracing::warn!("{unused}");
    }
    let stop = tokio::select! {
        stop = signals.next() => Ok(stop),
        error = failed(&mut running) => Err(error),
    };
    health.enter(Phase::Stopping);
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

async fn run_once<T: StoreData>(
    workload: Workload<T>,
    interfaces: &Interfaces,
    mut signals: Signals,
) -> anyhow::Result<Exit> {
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

fn no_handler<T>(path: &Path, interfaces: &Interfaces, triggers: &[TriggerEntry<T>]) -> Error {
    let mut wanted: Vec<&str> = triggers.iter().flat_map(|trigger| trigger.exports).copied().collect();
    wanted.push(command::RUN);
    let exports = if interfaces.exports.is_empty() { "nothing".to_owned() } else { interfaces.exports.join(", ") };
    let message = format!("{}: exports none of: {}; it exports {exports}", path.display(), wanted.join(", "));
    Error::new(ErrorKind::BadComponent, message)
}
