//! Boots and stops a runtime, step by step.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::{select_all, try_join_all};
use tempo_backend::{ByteBudget, DATA};
use tempo_core::{BootContext, Limits, OpenFiles, Running, ServiceState, Sockets, StoreContext, StoreData, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tempo_telemetry::{Health, RuntimePhase, Telemetry};
use tokio::task::JoinSet;

use crate::cli::LoadedSettings;
use crate::command;
use crate::engine::TICK;
use crate::grants::{Grants, Io};
use crate::guest_output::log_budget;
use crate::interfaces::Interfaces;
use crate::load::{LoadOptions, Loaded, Purpose, in_file, load};
use crate::own_files::OwnFiles;
use crate::registry::{ConnectedBackend, ServiceEntry, TriggerEntry, trigger_state, unversioned};
use crate::reporting::Reporting;
use crate::signals::{Signals, StopSignal};
use crate::sockets::WasiSocketGrants;
use crate::tls::Authorities;
use crate::{background, epoch, granted, grants, inspect, link, log_output, release_candidate, tls};

/// A runtime's name, services and triggers.
pub(crate) struct Parts<'a> {
    /// The runtime's name.
    pub runtime: &'a str,
    /// The runtime's version.
    pub version: &'a str,
    /// The services.
    pub services: &'a [ServiceEntry],
    /// The triggers.
    pub triggers: &'a [TriggerEntry],
}

impl Parts<'_> {
    /// Returns all flags that may be grants.
    fn flags(&self) -> Vec<Flag> {
        let services = self.services.iter().flat_map(|service| &service.flags);
        let triggers = self.triggers.iter().flat_map(|trigger| &trigger.flags);
        grants::flags().chain(services.chain(triggers).copied()).collect()
    }
}

/// No time limit: a thousand years, which can be added to an `Instant`.
const UNLIMITED: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Maximum time that blocking threads have to finish at exit, such as writing the rest of a file.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Loads `path`, and serves it until a signal arrives, or runs it once if it is a command. Returns the exit code.
///
/// # Errors
///
/// The component cannot be loaded, linked or run; a setting is invalid; a backend or trigger fails.
pub(crate) fn run(
    parts: &Parts<'_>,
    path: &Path,
    arguments: Vec<String>,
    loaded_settings: &LoadedSettings,
    signals: Signals,
) -> anyhow::Result<u8> {
    let settings = &loaded_settings.settings;
    let limits = Limits::from_settings(settings)?;
    let loaded = load_component(parts, path, &limits, loaded_settings)?;
    let interfaces = Interfaces::of(&loaded.component);
    let serving: Vec<_> =
        parts.triggers.iter().filter(|trigger| exported(&interfaces, |name| trigger.calls(name))).collect();
    if serving.is_empty() && !command::is_command(&interfaces) {
        return Err(no_handler(path, &interfaces, parts.triggers).into());
    }
    let needed = needed(parts.services, &serving, &interfaces);
    let pre = link::link(parts.runtime, &loaded.component, &loaded.shape, &interfaces, parts.services)?;
    check_exports(path, &interfaces, &serving)?;
    epoch::advance(pre.engine()).context("cannot start the epoch thread")?;
    let health = Health::default();
    let reporting = start_reporting(parts, &loaded, settings, &health)?;
    let telemetry = reporting.telemetry();
    let (background, spawn) = background::start().context("cannot start the background threads")?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = main.block_on(async {
        let mut heartbeat = JoinSet::new();
        heartbeat.spawn(health.heartbeat("the main loop").run());
        let io = if serving.is_empty() { Io::Process(command_line(path, arguments)) } else { log_io(&loaded, &limits) };
        let limits = if serving.is_empty() { unlimited_time(limits) } else { limits };
        let own_files = OwnFiles::of(path, loaded_settings, has_stores(&needed))?;
        let mut grants = Grants::from_settings(settings, &limits, io, &own_files)?;
        if tls::is_imported(&interfaces) {
            grants = grants.with_authorities(Authorities::from_settings(settings)?);
        }
        health.enter(RuntimePhase::Connecting);
        let boot = BootContext::new(&loaded.name, &limits, settings).with_telemetry(&telemetry).with_health(&health);
        let connected: Arc<[ConnectedBackend]> = connect(&needed, boot).await?.into();
        let of_backends = connected.iter().filter_map(|backend| backend.announcement.clone());
        let announcements: Vec<String> = of_backends.chain(reporting.announcements().iter().cloned()).collect();
        let granted = granted::line(&parts.flags(), settings, serving.is_empty());
        let data = store_data(&loaded.name, grants, connected.clone(), limits.clone(), telemetry.clone());
        let workload = Workload::builder(&loaded.name, pre, data)
            .concurrent(loaded.shape.concurrent)
            .limits(limits)
            .tick(TICK)
            .background(spawn)
            .telemetry(telemetry.clone())
            .health(health.clone())
            .build();
        if serving.is_empty() {
            health.enter(RuntimePhase::Ready);
            log_notices(loaded_settings, granted.as_deref());
            run_once(workload, &interfaces, signals).await
        } else {
            let triggers = Triggers { entries: &serving, connected: &connected };
            serve(workload, triggers, loaded_settings, signals, (&announcements, granted)).await
        }
    });
    background.shutdown_background();
    reporting.flush();
    // The timeout is needed because a blocking thread, such as one that resolves a name, cannot be cancelled.
    let timeout = if matches!(exit, Ok(Exit::Signal(_))) { Duration::ZERO } else { SHUTDOWN_TIMEOUT };
    main.shutdown_timeout(timeout);
    exit.map(|exit| match exit {
        Exit::Done(code) => code,
        Exit::Signal(signal) => signal.exit_code(),
    })
}

fn load_component(
    parts: &Parts<'_>,
    path: &Path,
    limits: &Limits,
    loaded_settings: &LoadedSettings,
) -> anyhow::Result<Loaded> {
    let options = LoadOptions {
        limits,
        settings: &loaded_settings.settings,
        concurrent_packages: &link::concurrent_packages(parts.services),
        purpose: Purpose::Run(parts.triggers),
    };
    let mut loaded = load(path, options)?;
    if let Some(notice) = loaded.notice.take() {
        loaded_settings.notices.add(notice);
    }
    Ok(loaded)
}

/// Refuses exports of a release candidate that does not run.
fn check_exports(path: &Path, interfaces: &Interfaces, serving: &[&TriggerEntry]) -> anyhow::Result<()> {
    let is_called =
        |export: &str| serving.iter().any(|trigger| trigger.calls(export)) || unversioned(export) == command::RUN;
    release_candidate::check_exports(interfaces, is_called).map_err(|error| in_file(path, error.into()))
}

/// Starts the exporters of telemetry, and describes the component to the dashboard.
fn start_reporting(
    parts: &Parts<'_>,
    loaded: &Loaded,
    settings: &Settings,
    health: &Health,
) -> anyhow::Result<Reporting> {
    let reporting = Reporting::start((parts.runtime, parts.version), &loaded.name, settings, health)?;
    if reporting.has_dashboard() {
        let report = inspect::inspect(parts.runtime, loaded, parts.services, parts.triggers)?;
        reporting.describe(serde_json::to_value(report)?, &parts.flags(), settings);
    }
    Ok(reporting)
}

/// The result of serving or running a component.
enum Exit {
    /// The command ended or the triggers were drained; the exit code.
    Done(u8),
    /// A signal ended the command.
    Signal(StopSignal),
}

fn exported(interfaces: &Interfaces, predicate: impl Fn(&str) -> bool) -> bool {
    interfaces.exports.iter().any(|export| predicate(export))
}

/// Returns the services that the component imports or that its triggers need.
fn needed<'a>(
    services: &'a [ServiceEntry],
    triggers: &[&TriggerEntry],
    interfaces: &Interfaces,
) -> Vec<&'a ServiceEntry> {
    let imported = |service: &ServiceEntry| interfaces.imports.iter().any(|import| service.offers(import));
    let called = |service: &ServiceEntry| triggers.iter().any(|trigger| trigger.service == service.id);
    services.iter().filter(|service| imported(service) || called(service)).collect()
}

/// Returns whether one of `services` may store data in the data directory.
fn has_stores(services: &[&ServiceEntry]) -> bool {
    services.iter().any(|service| service.flags.iter().any(|flag| flag.name == DATA.name))
}

/// Connects the backends of `services` concurrently.
async fn connect(services: &[&ServiceEntry], boot: BootContext<'_>) -> Result<Vec<ConnectedBackend>, Error> {
    try_join_all(services.iter().map(|service| (service.connect)(boot))).await
}

/// Returns the function that creates the data of a store of the component `name`.
fn store_data(
    name: &str,
    grants: Grants,
    connected: Arc<[ConnectedBackend]>,
    limits: Limits,
    telemetry: Telemetry,
) -> impl Fn() -> wasmtime::Result<StoreData> + Send + Sync + use<> {
    let refusals = log_budget(name.into(), &limits);
    move || {
        let store = StoreContext::new(ByteBudget::with_telemetry(limits.host_memory, telemetry.clone()));
        let (open_files, open_sockets) = (OpenFiles::new(&limits), Sockets::default());
        let sockets = grants.sockets(open_sockets.acceptor(&open_files));
        let data = StoreData::new(grants.context(&store, &sockets)?, &limits, store.bytes.clone())
            .with_log_tail(store.log_tail.clone())
            .with_open_files(open_files, open_sockets)
            .with_reporting(&telemetry, &refusals)
            .with(ServiceState::new::<WasiSocketGrants>(sockets));
        let data = match grants.tls(&store) {
            Some(tls) => data.with_tls(tls),
            None => data,
        };
        Ok(connected.iter().fold(data, |data, service| data.with((service.state)(&store))))
    }
}

/// The triggers to start, and the backends of their services.
#[derive(Clone, Copy)]
struct Triggers<'a> {
    entries: &'a [&'a TriggerEntry],
    connected: &'a [ConnectedBackend],
}

impl Triggers<'_> {
    /// Starts all triggers concurrently.
    async fn start(self, workload: &Workload, settings: &Settings) -> Result<Vec<Box<dyn Running>>, Error> {
        let started = self.entries.iter().map(|trigger| {
            let bytes = ByteBudget::with_telemetry(workload.limits().host_memory, workload.telemetry().clone());
            let store = StoreContext::new(bytes);
            (trigger.start)(workload.clone(), settings, trigger_state(trigger, self.connected, &store))
        });
        try_join_all(started).await
    }
}

async fn serve(
    workload: Workload,
    triggers: Triggers<'_>,
    loaded_settings: &LoadedSettings,
    mut signals: Signals,
    (announcements, granted): (&[String], Option<String>),
) -> anyhow::Result<Exit> {
    let (delay, drain) = (workload.limits().shutdown_delay, workload.limits().drain);
    let health = workload.health().clone();
    let mut running = triggers.start(&workload, &loaded_settings.settings).await?;
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
    for announcement in announcements {
        log_output::write_line(announcement);
    }
    log_notices(loaded_settings, granted.as_deref());
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

/// Logs the grants of the component and the warnings about the settings.
fn log_notices(loaded_settings: &LoadedSettings, granted: Option<&str>) {
    if let Some(granted) = granted {
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

async fn run_once(workload: Workload, interfaces: &Interfaces, mut signals: Signals) -> anyhow::Result<Exit> {
    signals.run_command();
    tokio::select! {
        status = command::run(workload, interfaces) => status.map(Exit::Done),
        signal = signals.next() => Ok(Exit::Signal(signal)),
    }
}

/// Removes the time limits for a command, whose caller does not wait for a response.
fn unlimited_time(limits: Limits) -> Limits {
    let mut limits = limits;
    limits.cpu = UNLIMITED;
    limits.request = UNLIMITED;
    limits.instantiate = UNLIMITED;
    limits
}

fn command_line(path: &Path, arguments: Vec<String>) -> Vec<String> {
    let program = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect()
}

fn log_io(loaded: &Loaded, limits: &Limits) -> Io {
    let component: Arc<str> = loaded.name.as_str().into();
    Io::Log { budget: log_budget(component.clone(), limits), component }
}

fn no_handler(path: &Path, interfaces: &Interfaces, triggers: &[TriggerEntry]) -> Error {
    let mut wanted: Vec<&str> = triggers.iter().flat_map(|trigger| trigger.exports).copied().collect();
    wanted.push(command::RUN);
    let exports: Vec<_> = interfaces.exports.iter().map(|export| release_candidate::name_in_file(export)).collect();
    let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    let message = format!("{}: exports none of: {}; it exports {exports}", path.display(), wanted.join(", "));
    Error::new(ErrorKind::BadComponent, message)
}
