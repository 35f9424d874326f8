//! Loads the components of an app: all settings are checked before one is compiled, and all are linked before one is connected.

use tempo_core::{AppAdmission, AppCheck, ComponentOutline, Limits};
use tempo_settings::{Error, ErrorKind};

use super::component::LinkedComponent;
use super::{Parts, Plan, PlannedApp};
use crate::command;
use crate::link;
use crate::load::{AppEngines, ScannedFile, may_export};
use crate::loaded_settings::{App, AppComponentSettings, LoadedSettings};
use crate::problems::Problems;
use crate::registry::unversioned;

/// Idle instances of all components together, and the bounds of the share of one.
const IDLE_INSTANCES: usize = 256;
const MIN_IDLE: usize = 8;
const MAX_IDLE: usize = 64;

/// Loads, checks and links all components of `app`.
///
/// # Errors
///
/// One error lists all problems of a step.
pub(super) fn plan<'a>(parts: &Parts<'a>, app: &'a App, loaded: &LoadedSettings) -> anyhow::Result<Plan<'a>> {
    let files = scan(parts, app, loaded)?;
    let process = Limits::from_settings(&loaded.settings)?;
    let checked = check(parts, app, &files)?;
    let reserved = reserved(app, &files, &process)?;
    let admission = AppAdmission::new(&process, checked.chain_depth, reserved);
    let idle = (IDLE_INSTANCES / app.components.len().max(1)).clamp(MIN_IDLE, MAX_IDLE);
    let instances = admission.calls().saturating_add(idle.saturating_mul(app.components.len()));
    let mut engines = AppEngines::new(&files, instances, &loaded.settings)?;
    engines.notices().into_iter().for_each(|notice| loaded.notices.add(notice));
    let mut problems = Problems::new(&app.name);
    let mut components = Vec::new();
    for (component, file) in app.components.iter().zip(&files) {
        let linked = engines.load(file).and_then(|loaded| {
            let limits = file.limits().clone();
            LinkedComponent::link(parts, &component.source, &component.settings, limits, loaded)
        });
        match linked {
            Ok(linked) => components.push(linked),
            Err(error) => problems.add(0, in_component(component, error)),
        }
    }
    problems.into_result()?;
    Ok(Plan { name: app.name.clone(), components, limits: process, app: Some(PlannedApp { admission, idle }) })
}

/// Reads and validates the files of all components.
fn scan(parts: &Parts<'_>, app: &App, loaded: &LoadedSettings) -> anyhow::Result<Vec<ScannedFile>> {
    let concurrent = link::concurrent_packages(parts.services);
    let mut problems = Problems::new(&app.name);
    let mut files = Vec::new();
    for component in &app.components {
        let read = Limits::from_settings(&component.settings).map_err(anyhow::Error::from).and_then(|limits| {
            ScannedFile::read((&component.name, &component.source), limits, &loaded.settings, &concurrent)
        });
        match read {
            Ok(file) => files.push(file),
            Err(error) => problems.add(0, in_component(component, error)),
        }
    }
    problems.into_result()?;
    Ok(files)
}

/// Lets all triggers check the settings, and finds components that nothing calls.
fn check(parts: &Parts<'_>, app: &App, files: &[ScannedFile]) -> Result<AppCheck, Error> {
    let mut problems = Problems::new(&app.name);
    let mut all = AppCheck::default();
    let mut advice: Vec<Vec<&str>> = vec![Vec::new(); app.components.len()];
    for trigger in parts.triggers {
        let exports: Vec<bool> =
            files.iter().map(|file| may_export(&file.shape, |export| trigger.calls(export))).collect();
        let outlines = app.components.iter().zip(&exports);
        let outlines: Vec<_> = outlines
            .map(|(component, exports)| ComponentOutline::new(&component.name, &component.settings, *exports))
            .collect();
        let checked = (trigger.check)(&outlines);
        checked.errors.into_iter().for_each(|error| problems.add(0, error));
        all.reachable.extend(checked.reachable);
        all.chain_depth = all.chain_depth.max(checked.chain_depth);
        let calling = advice.iter_mut().zip(exports).filter(|(_, exports)| *exports);
        calling.for_each(|(advice, _)| advice.extend(checked.advice));
    }
    for ((component, file), advice) in app.components.iter().zip(files).zip(advice) {
        let called = |export: &str| parts.triggers.iter().any(|trigger| trigger.calls(export));
        // A component without a handler is refused with the list of its exports, after it is compiled.
        let is_command = file.shape.exports.iter().any(|export| unversioned(export) == command::RUN);
        if all.reachable.contains(&component.name) || !(may_export(&file.shape, called) || is_command) {
            continue;
        }
        let (name, place) = (&component.name, &component.place);
        let error = if may_export(&file.shape, called) {
            let message = format!("{name}: no trigger and no other component calls it ({place})");
            Error::new(ErrorKind::BadConfiguration, message).with_advice(advice.join(", or "))
        } else {
            let message = format!("{name}: a command, which runs once; an app serves ({place})");
            Error::new(ErrorKind::BadConfiguration, message).with_advice("give its file to `run`")
        };
        problems.add(0, error);
    }
    problems.into_result().map(|()| all)
}

/// Returns the sum of the reserved permits.
fn reserved(app: &App, files: &[ScannedFile], process: &Limits) -> Result<usize, Error> {
    let sum = files.iter().fold(0, |sum: usize, file| sum.saturating_add(file.limits().reserved));
    if sum > 0 && sum >= process.requests {
        let (name, requests) = (&app.name, process.requests);
        let message = format!("{name}: its components reserve {sum} requests, and --max-requests is {requests}");
        let error = Error::new(ErrorKind::BadConfiguration, message);
        return Err(error.with_advice("lower reserved-requests, or raise --max-requests"));
    }
    Ok(sum)
}

/// Prefixes `error` with the component and the place of its declaration.
fn in_component(component: &AppComponentSettings, error: anyhow::Error) -> Error {
    let kind = error.downcast_ref::<Error>().map_or(ErrorKind::Internal, Error::kind);
    let message = format!("component.{} ({})", component.name, component.place);
    let error = error.downcast::<Error>().unwrap_or_else(|error| Error::internal(error.into_boxed_dyn_error()));
    Error::new(kind, message).with_source(error)
}
