//! Boots and stops a runtime, step by step.

mod app;
mod component;
mod serve;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use tempo_backend::SharedBackends;
use tempo_core::{AppAdmission, AppHandle, Limits};
use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, RuntimePhase};
use tokio::task::JoinSet;
use wasmtime::Engine;

pub(crate) use self::app::check_settings;
pub(crate) use self::component::LinkedComponent;
use self::component::{AppLinks, ConnectedComponent, Surroundings};
use self::serve::{Announcements, log_notices, serve};
use crate::cli::Program;
use crate::command;
use crate::grants::Io;
use crate::guest_output::log_budget;
use crate::inspect::DeclaredLinks;
use crate::load::{LoadOptions, Loaded, Purpose, load};
use crate::loaded_settings::{App, LoadedSettings};
use crate::own_files::OwnFiles;
use crate::registry::{ServiceEntry, TriggerEntry};
use crate::reporting::Reporting;
use crate::signals::{Signals, StopSignal};
use crate::{background, epoch, granted, grants, inspect, link};

/// A runtime's name, services and triggers.
#[derive(Clone, Copy)]
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
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let services = self.services.iter().flat_map(|service| &service.flags);
        let triggers = self.triggers.iter().flat_map(|trigger| &trigger.flags);
        grants::flags().chain(services.chain(triggers).copied()).collect()
    }
}

/// No time limit: a thousand years, which can be added to an `Instant`.
const UNLIMITED: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Maximum time that blocking threads have to finish at exit, such as writing the rest of a file.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The components of a process, loaded and linked.
struct Plan<'a> {
    /// The name of the app, or of the only component.
    name: String,
    components: Vec<LinkedComponent<'a>>,
    /// The limits of the process.
    limits: Limits,
    /// `None` if a component is alone in its process.
    app: Option<PlannedApp<'a>>,
}

/// What the components of an app share.
struct PlannedApp<'a> {
    declared: &'a App,
    admission: AppAdmission,
    /// Maximum number of idle instances of one component.
    idle: usize,
}

/// The result of serving or running a component.
enum Exit {
    /// The command ended or the triggers were drained; the exit code.
    Done(u8),
    /// A signal ended the command.
    Signal(StopSignal),
}

/// Loads `program`, and serves it until a signal arrives, or runs it once if it is a command. Returns the exit code.
///
/// # Errors
///
/// A component cannot be loaded, linked or run; a setting is invalid; a backend or trigger fails.
pub(crate) fn run(
    parts: &Parts<'_>,
    program: &Program,
    arguments: Vec<String>,
    loaded_settings: &LoadedSettings,
    signals: Signals,
) -> anyhow::Result<u8> {
    let plan = match program {
        Program::Component(path) => alone(parts, path, loaded_settings)?,
        Program::App(app) => app::plan(parts, app, loaded_settings)?,
    };
    advance_epochs(&plan.components)?;
    let health = Health::default();
    let reporting = start_reporting(parts, &plan, &loaded_settings.settings, &health)?;
    let (background, spawn) = background::start().context("cannot start the background threads")?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = main.block_on(async {
        let mut heartbeat = JoinSet::new();
        heartbeat.spawn(health.heartbeat("the main loop").run());
        health.enter(RuntimePhase::Connecting);
        let telemetry = reporting.telemetry();
        let handle = |app: &PlannedApp<'_>| AppHandle::new(app.admission.clone(), telemetry.clone(), app.idle);
        let (app, shared) = (plan.app.as_ref().map(handle), SharedBackends::default());
        let shared = app.is_some().then_some(&shared);
        let around = Surroundings { telemetry: &telemetry, health: &health, spawn: &spawn, app: app.as_ref(), shared };
        let components = connect(&plan, arguments, loaded_settings, around).await?;
        start_links(&components, &mut heartbeat);
        let granted = granted_lines(parts, &plan);
        match &components[..] {
            [one] if one.linked.serving.is_empty() && plan.app.is_none() => {
                health.enter(RuntimePhase::Ready);
                log_notices(loaded_settings, &granted);
                run_once(one, signals).await
            }
            all => {
                let backends = all.iter().flat_map(|component| component.backends.iter());
                let of_backends = backends.filter_map(|backend| backend.announcement.clone());
                let lines = of_backends.chain(reporting.announcements().iter().cloned()).collect();
                let announcements = Announcements { lines, granted };
                let served = (all, plan.app.is_some());
                serve(parts, served, &plan.limits, &health, loaded_settings, signals, announcements).await
            }
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

/// Loads and links the component of the file `path`, which is alone in its process.
fn alone<'a>(parts: &Parts<'a>, path: &Path, loaded_settings: &'a LoadedSettings) -> anyhow::Result<Plan<'a>> {
    let settings = &loaded_settings.settings;
    let limits = Limits::from_settings(settings)?;
    let options = LoadOptions {
        limits: &limits,
        settings,
        concurrent_packages: &link::concurrent_packages(parts.services),
        purpose: Purpose::Run(parts.triggers),
    };
    let mut loaded = load(path, options)?;
    if let Some(notice) = loaded.notice.take() {
        loaded_settings.notices.add(notice);
    }
    let name = loaded.name.clone();
    let component = LinkedComponent::link(parts, path, settings, limits.clone(), loaded, AppLinks::default())?;
    Ok(Plan { name, components: vec![component], limits, app: None })
}

/// Starts a thread for each engine, which advances its epoch.
fn advance_epochs(components: &[LinkedComponent<'_>]) -> anyhow::Result<()> {
    let mut engines: Vec<&Engine> = Vec::new();
    for component in components {
        let engine = component.pre.engine();
        if !engines.iter().any(|known| Engine::same(known, engine)) {
            epoch::advance(engine).context("cannot start the epoch thread")?;
            engines.push(engine);
        }
    }
    Ok(())
}

/// Starts the exporters of telemetry, and describes the components to the dashboard.
fn start_reporting(
    parts: &Parts<'_>,
    plan: &Plan<'_>,
    settings: &Settings,
    health: &Health,
) -> anyhow::Result<Reporting> {
    let reporting = Reporting::start((parts.runtime, parts.version), &plan.name, settings, health)?;
    if reporting.has_dashboard() {
        let described = plan.components.iter().map(|component| {
            let app = plan.app.as_ref().map(|app| (app.declared, component.loaded.name.as_str()));
            let links = DeclaredLinks { app };
            let report = inspect::inspect(parts.runtime, &component.loaded, parts.services, parts.triggers, links)?;
            Ok((serde_json::to_value(report)?, component.settings))
        });
        let described = described.collect::<anyhow::Result<Vec<_>>>()?;
        reporting.describe(plan.app.is_some().then_some(&*plan.name), described, &parts.flags());
    }
    Ok(reporting)
}

/// Connects all components concurrently.
async fn connect<'a>(
    plan: &'a Plan<'_>,
    arguments: Vec<String>,
    loaded_settings: &LoadedSettings,
    around: Surroundings<'_>,
) -> anyhow::Result<Vec<ConnectedComponent<'a>>> {
    let connecting = plan.components.iter().map(|component| {
        let arguments = arguments.clone();
        async move {
            let own_files = OwnFiles::of(component.settings, &plan.components, loaded_settings)?;
            let (io, limits) = if component.serving.is_empty() && plan.app.is_none() {
                (Io::Process(command_line(&component.path, arguments)), unlimited_time(component.limits.clone()))
            } else {
                (log_io(&component.loaded, &component.limits), component.limits.clone())
            };
            ConnectedComponent::connect(component, &own_files, io, limits, around).await
        }
    });
    try_join_all(connecting).await
}

/// Makes the calls of imports run in the components that export them. `tasks` drop idle instances.
fn start_links(components: &[ConnectedComponent<'_>], tasks: &mut JoinSet<()>) {
    for link in components.iter().flat_map(|component| &component.linked.links) {
        if let Some(exporter) = components.get(link.exporter) {
            link.callee.start(&exporter.workload);
            let callee = link.callee.clone();
            tasks.spawn(async move { callee.reap_forever().await });
        }
    }
}

/// Returns a line with the grants of each component that has any.
fn granted_lines(parts: &Parts<'_>, plan: &Plan<'_>) -> Vec<String> {
    let lines = plan.components.iter().filter_map(|component| {
        let is_command = component.serving.is_empty() && plan.app.is_none();
        let line = granted::line(&parts.flags(), component.settings, is_command)?;
        Some(if plan.app.is_some() { format!("{}: {line}", component.loaded.name) } else { line })
    });
    lines.collect()
}

async fn run_once(component: &ConnectedComponent<'_>, mut signals: Signals) -> anyhow::Result<Exit> {
    signals.run_command();
    tokio::select! {
        status = command::run(component.workload.clone(), &component.linked.interfaces) => status.map(Exit::Done),
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
