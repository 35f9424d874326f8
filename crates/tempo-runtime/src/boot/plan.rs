//! `Plan`: the components of a process, loaded and linked, but not connected.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tempo_core::{AppAdmission, Limits};
use tempo_settings::{Error, ErrorKind};
use wasmtime::Engine;

use super::Parts;
use super::app;
use super::component::{AppLinks, LinkedComponent};
use crate::cli::Program;
use crate::load::{AppEngines, LoadOptions, Purpose, load};
use crate::loaded_settings::{App, AppComponentSettings, LoadedSettings};
use crate::{epoch, link};

/// The components of a process, loaded and linked.
pub(crate) struct Plan {
    /// The name of the app, or of the only component.
    pub name: String,
    /// The components.
    pub components: Vec<Arc<LinkedComponent>>,
    /// The limits of the process.
    pub limits: Limits,
    /// `None` if a component is alone in its process.
    pub app: Option<PlannedApp>,
}

/// What the components of an app share.
#[derive(Clone)]
pub(crate) struct PlannedApp {
    /// The manifest.
    pub declared: Arc<App>,
    /// The permits of all components.
    pub admission: AppAdmission,
    /// The sum of the reserved permits.
    pub reserved: usize,
    /// Maximum number of idle instances of one component.
    pub idle: usize,
    /// The engines of all components.
    pub engines: AppEngines,
}

impl Plan {
    /// Returns the declaration of the component `name` of an app.
    pub(crate) fn declared(&self, name: &str) -> Option<&AppComponentSettings> {
        self.app.as_ref()?.declared.component(name)
    }

    /// Loads, checks and links the components of `program`. `previous` is the plan that is served now: components whose code does
    /// not differ are not compiled again.
    ///
    /// # Errors
    ///
    /// A component cannot be loaded or linked, or a setting is invalid. One error lists all problems of a step.
    pub(crate) fn new(
        parts: Parts<'static>,
        program: &Program,
        loaded: &LoadedSettings,
        previous: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let plan = match (program, previous) {
            (Program::Component(_), Some(Self { app: Some(_), .. })) => Err(other_program("declared an app")),
            (Program::App(_), Some(Self { app: None, .. })) => Err(other_program("declared no app")),
            (Program::Component(path), previous) => Self::alone(parts, path, loaded, previous),
            (Program::App(app), previous) => app::plan(parts, app, loaded, previous),
        }?;
        plan.advance_epochs(previous)?;
        Ok(plan)
    }

    /// Loads and links the component of the file `path`, which is alone in its process.
    fn alone(
        parts: Parts<'static>,
        path: &Path,
        loaded_settings: &LoadedSettings,
        previous: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let settings = &loaded_settings.settings;
        let limits = Limits::from_settings(settings)?;
        let previous = previous.and_then(|previous| previous.components.first()).map(|previous| &**previous);
        let options = LoadOptions {
            limits: &limits,
            settings,
            concurrent_packages: &link::concurrent_packages(parts.services),
            purpose: Purpose::Run(parts.triggers),
            previous: previous.map(|previous| (&previous.loaded, &previous.limits)),
        };
        let mut loaded = load(path, options)?;
        if let Some(notice) = loaded.notice.take() {
            loaded_settings.notices.add(notice);
        }
        let name = loaded.name.clone();
        let component =
            LinkedComponent::link(parts, path, settings, limits.clone(), loaded, AppLinks::default(), previous)?;
        Ok(Self { name, components: vec![Arc::new(component)], limits, app: None })
    }

    /// Returns the component `name`.
    pub(crate) fn component(&self, name: &str) -> Option<&LinkedComponent> {
        self.components.iter().find(|component| component.loaded.name == name).map(|component| &**component)
    }

    /// Starts a thread for each engine that `previous` does not have, which advances its epoch.
    fn advance_epochs(&self, previous: Option<&Self>) -> anyhow::Result<()> {
        let of_previous = previous.into_iter().flat_map(|previous| &previous.components);
        let mut known: Vec<&Engine> = of_previous.map(|component| component.pre.engine()).collect();
        for component in &self.components {
            let engine = component.pre.engine();
            if !known.iter().any(|known| Engine::same(known, engine)) {
                epoch::advance(engine).context("cannot start the epoch thread")?;
                known.push(engine);
            }
        }
        Ok(())
    }
}

/// The error of settings that declare another kind of program than the one that runs, which `declared`.
fn other_program(declared: &str) -> anyhow::Error {
    let message = format!("the settings {declared} when the process started");
    Error::new(ErrorKind::BadConfiguration, message).with_advice("restart the process").into()
}
