//! Makes the next version of the components while the current one is served.

use std::sync::Arc;

use anyhow::Context as _;
use tempo_backend::SharedBackends;
use tempo_core::{AppHandle, BackgroundSpawner};
use tempo_settings::{Error, ErrorKind, Settings};
use tempo_telemetry::{Health, Telemetry};

use super::connect::{ConnectedComponent, Surroundings, connect};
use super::plan::Plan;
use super::{Parts, ReadProgram};
use crate::Runtime;
use crate::background;
use crate::loaded_settings::LoadedSettings;

/// The components that are served, and the settings that they were made from.
pub(super) struct Version {
    /// The settings.
    pub(super) settings: LoadedSettings,
    /// The loaded components.
    pub(super) plan: Arc<Plan>,
    /// The connected components.
    pub(super) components: Vec<ConnectedComponent>,
}

/// What all versions share.
#[derive(Clone)]
pub(super) struct Process {
    /// The runtime.
    pub(super) parts: Parts<'static>,
    /// Reads the settings again.
    pub(super) read: ReadProgram,
    /// The handle for spans and metrics of the process.
    pub(super) telemetry: Telemetry,
    /// The health of the process.
    pub(super) health: Health,
    /// Spawns onto the background threads.
    pub(super) spawn: BackgroundSpawner,
    /// The backends in memory that the components of an app share.
    pub(super) shared: Arc<SharedBackends>,
}

impl Process {
    /// Connects the components of `plan`, some of which may be those of `previous`. `arguments` are those of a command.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or a backend cannot connect.
    pub(super) async fn connect(
        &self,
        plan: &Plan,
        arguments: &[String],
        settings: &LoadedSettings,
        previous: &[ConnectedComponent],
    ) -> anyhow::Result<Vec<ConnectedComponent>> {
        let app = plan.app.as_ref();
        let app = app.map(|app| AppHandle::new(app.admission.clone(), self.telemetry.clone(), app.idle));
        let around = Surroundings {
            telemetry: &self.telemetry,
            health: &self.health,
            spawn: &self.spawn,
            app: app.as_ref(),
            shared: app.as_ref().map(|_| &*self.shared),
        };
        connect(self.parts, plan, arguments, settings, around, previous).await
    }

    /// Reads the settings, and makes the components that they declare. Those that do not differ from those of `previous` stay.
    /// Threads of low priority load and compile.
    ///
    /// # Errors
    ///
    /// A setting is invalid or cannot change, a component cannot be loaded or linked, or a backend cannot connect.
    pub(super) async fn next_version(
        self,
        (plan, settings, components): (Arc<Plan>, Arc<Settings>, Vec<ConnectedComponent>),
    ) -> anyhow::Result<Version> {
        let Self { parts, read, .. } = self.clone();
        let loaded = background::load(move || {
            let (program, next) = read()?;
            check_fixed(&settings, &next.settings)?;
            let next_plan = Plan::new(parts, &program, &next, Some(&plan))?;
            check_serves(&next_plan)?;
            anyhow::Ok((next_plan, next))
        });
        let (plan, settings) = loaded.await.context("the threads that load components cannot be started")??;
        let components = self.connect(&plan, &[], &settings, &components).await?;
        Ok(Version { settings, plan: Arc::new(plan), components })
    }
}

/// Refuses a command in place of a component that is served.
fn check_serves(plan: &Plan) -> Result<(), Error> {
    match plan.components.iter().find(|component| component.serving.is_empty()) {
        Some(command) if plan.app.is_none() => {
            let message = format!("{}: a command, which runs once; this process serves", command.path.display());
            Err(Error::new(ErrorKind::BadConfiguration, message))
        }
        _ => Ok(()),
    }
}

/// Refuses other values of settings that are read only when the process starts.
fn check_fixed(running: &Settings, next: &Settings) -> Result<(), Error> {
    match Runtime::fixed_flags().iter().find(|flag| !running.has_same(next, flag)) {
        Some(flag) => Err(next.invalid(flag, "it cannot change while the process runs; restart the process")),
        None => Ok(()),
    }
}
