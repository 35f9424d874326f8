//! Boots and stops a runtime, step by step.

mod app;
mod check;
mod component;
mod connect;
mod data_folders;
mod plan;
mod reload;
mod serve;
mod triggers;
mod unreachable;
mod unused;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tempo_core::Limits;
use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, RuntimePhase};
use tokio::task::JoinSet;

pub(crate) use self::app::{CheckedApp, check_app, compose};
pub(crate) use self::component::LinkedComponent;
use self::connect::ConnectedComponent;
use self::plan::Plan;
use self::reload::{Process, Version};
use self::serve::Serving;
use crate::cli::Program;
use crate::command;
use crate::grants;
use crate::inspect::DeclaredLinks;
use crate::loaded_settings::LoadedSettings;
use crate::registry::{ServiceEntry, TriggerEntry};
use crate::reloads::Reloads;
use crate::reporting::Reporting;
use crate::signals::{Signal, Signals, StopSignal};
use crate::{background, granted, inspect};

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
    /// Returns the flags that a component of an app can set for itself.
    pub(crate) fn component_flags(&self) -> Vec<Flag> {
        let limits = Limits::FLAGS.iter().copied();
        self.flags().into_iter().chain(limits).filter(|flag| !flag.of_process).collect()
    }

    /// Returns the names of the flags of the process whose values differ in `next`.
    pub(crate) fn changed_flags(&self, previous: &Settings, next: &Settings) -> Vec<&'static str> {
        let of_process = self.flags().into_iter().chain(Limits::FLAGS.iter().copied()).filter(|flag| flag.of_process);
        let changed = of_process.filter(|flag| !previous.has_same(next, flag)).map(|flag| flag.name);
        changed.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns all flags that may be grants.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let services = self.services.iter().flat_map(|service| &service.flags);
        let triggers = self.triggers.iter().flat_map(|trigger| &trigger.flags);
        grants::flags().chain(services.chain(triggers).copied()).collect()
    }
}

/// Maximum time that blocking threads have to finish at exit, such as writing the rest of a file.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The end of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// A command ended, with this exit code.
    Command(u8),
    /// A signal ended it; the exit code of the process.
    Stopped(u8),
}

impl Ended {
    /// Returns the exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Command(code) | Self::Stopped(code) => code,
        }
    }
}

/// The result of serving or running a component.
enum Exit {
    /// The command ended; the exit code.
    Done(u8),
    /// A signal arrived, and the triggers were drained.
    Drained,
    /// A signal ended the command.
    Signal(StopSignal),
}

/// Reads the program and its settings again.
pub(crate) type ReadProgram = Arc<dyn Fn() -> anyhow::Result<(Program, LoadedSettings)> + Send + Sync>;

/// Loads `program`, and serves it until a signal arrives, or runs it once if it is a command. `read` reads it again for a reload.
///
/// # Errors
///
/// A component cannot be loaded, linked or run; a setting is invalid; a backend or trigger fails.
pub(crate) fn run(
    parts: Parts<'static>,
    program: &Program,
    arguments: &[String],
    (settings, read): (LoadedSettings, ReadProgram),
    signals: &mut Signals,
    reloads: &mut Reloads,
) -> anyhow::Result<Ended> {
    let plan = Arc::new(Plan::new(parts, program, &settings, None)?);
    let health = Health::default();
    let reporting = Reporting::start((parts.runtime, parts.version), &plan.name, &settings.settings, &health)?;
    describe(&parts, &plan, &reporting)?;
    let (background, spawn) = background::start().context("cannot start the background threads")?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (telemetry, shared) = (reporting.telemetry(), Arc::default());
    let process = Process { parts, read, telemetry, health, spawn, shared };
    let exit = main.block_on(async {
        let health = process.health.clone();
        let mut heartbeat = JoinSet::new();
        heartbeat.spawn(health.heartbeat("the main loop").run());
        health.enter(RuntimePhase::Connecting);
        let components = process.connect(&plan, arguments, &settings, &[]).await?;
        if let ([one], None) = (&components[..], &plan.app)
            && one.linked.serving.is_empty()
        {
            health.enter(RuntimePhase::Ready);
            if let Some(line) = granted_line(&parts, &plan, &one.linked) {
                tracing::info!("{line}");
            }
            settings.notices.log();
            return run_once(one, signals).await;
        }
        let version = Version { settings, plan, components };
        Serving::start(process, &reporting, version, signals).await?.run(signals, reloads).await
    });
    background.shutdown_background();
    reporting.flush();
    // The timeout is needed because a blocking thread, such as one that resolves a name, cannot be cancelled.
    let timeout = if matches!(exit, Ok(Exit::Signal(_))) { Duration::ZERO } else { SHUTDOWN_TIMEOUT };
    main.shutdown_timeout(timeout);
    exit.map(|exit| match exit {
        Exit::Done(code) => Ended::Command(code),
        Exit::Drained => Ended::Stopped(0),
        Exit::Signal(signal) => Ended::Stopped(signal.exit_code()),
    })
}

/// Describes the components of `plan` to the dashboard.
fn describe(parts: &Parts<'static>, plan: &Plan, reporting: &Reporting) -> anyhow::Result<()> {
    if !reporting.has_dashboard() {
        return Ok(());
    }
    let described = plan.components.iter().map(|component| {
        let app = plan.app.as_ref().map(|app| (&*app.declared, component.loaded.name.as_str()));
        let links = DeclaredLinks { app };
        let report = inspect::inspect(parts.runtime, &component.loaded, parts.services, parts.triggers, links)?;
        Ok((serde_json::to_value(report)?, &*component.settings))
    });
    let described = described.collect::<anyhow::Result<Vec<_>>>()?;
    reporting.describe(plan.app.is_some().then_some(&*plan.name), described, &parts.flags());
    Ok(())
}

/// Returns a line with the grants of `component`, if it has any.
fn granted_line(parts: &Parts<'_>, plan: &Plan, component: &LinkedComponent) -> Option<String> {
    let is_command = component.serving.is_empty() && plan.app.is_none();
    let line = granted::line(&parts.flags(), &component.settings, is_command)?;
    Some(if plan.app.is_some() { format!("{}: {line}", component.loaded.name) } else { line })
}

async fn run_once(component: &ConnectedComponent, signals: &mut Signals) -> anyhow::Result<Exit> {
    signals.run_command();
    tokio::select! {
        status = command::run(component.workload.clone(), &component.linked.interfaces) => status.map(Exit::Done),
        signal = stop_signal(signals) => Ok(Exit::Signal(signal)),
    }
}

/// Waits for a signal that stops the process.
async fn stop_signal(signals: &mut Signals) -> StopSignal {
    loop {
        if let Signal::Stop(signal) = signals.next().await {
            return signal;
        }
    }
}
