//! Loads the components of an app: all settings are checked before one is compiled, and all are linked before one is connected.

use std::sync::Arc;

use tempo_core::{AppAdmission, AppCheck, AppEdge, ComponentOutline, Limits, MAX_CHAIN_DEPTH};
use tempo_settings::{Error, ErrorKind, Settings};
use wasmtime::component::Component;

use super::Parts;
use super::component::{AppLinks, LinkedComponent};
use super::plan::{Plan, PlannedApp};
use super::{check, data_folders, unreachable};
use crate::compose::{self, ComposedApp};
use crate::link;
use crate::links;
use crate::load::{AppEngines, Loaded, ScannedFile, may_export, same_engine_limits};
use crate::loaded_settings::{App, AppComponentSettings, LoadedSettings};
use crate::manifest::{IMPORTS, cycles};
use crate::problems::Problems;

/// Idle instances of all components together, and the bounds of the share of one.
const IDLE_INSTANCES: usize = 256;
const MIN_IDLE: usize = 8;
const MAX_IDLE: usize = 64;
/// Depths for chains that become longer by a reload, and the maximum number of requests up to which there are any: pools of
/// more instances leave too little address space to others.
const SPARE_DEPTHS: usize = 2;
const MAX_REQUESTS_WITH_SPARE: usize = 1024;

/// Loads, checks and links all components of `app`. Those of `previous` that have the same code and links are not made anew.
///
/// # Errors
///
/// One error lists all problems of a step.
pub(super) fn plan(
    parts: Parts<'static>,
    app: &Arc<App>,
    settings: &LoadedSettings,
    previous: Option<&Plan>,
) -> anyhow::Result<Plan> {
    let (files, checked) = scan(parts, app, &settings.settings, true)?;
    let process = Limits::from_settings(&settings.settings)?;
    let reserved = reserved(app, &files, &process)?;
    let composed = compose_files(parts, app, files, &checked)?;
    // Components keep their engines only together with the permits that size the pools.
    let previous = previous.filter(|previous| fits(previous, (&process, checked.chain_depth, reserved), app));
    let mut planned = match previous.and_then(|previous| previous.app.as_ref()) {
        Some(previous) => PlannedApp { declared: app.clone(), ..previous.clone() },
        None => share(app, (&process, checked.chain_depth, reserved), &settings.settings)?,
    };
    planned.engines.extend(&composed.files)?;
    planned.engines.notices().into_iter().for_each(|notice| settings.notices.add(notice));
    let previous = |name: &str| previous.and_then(|previous| previous.component(name));
    let of_app = (app.name.as_str(), &composed.components[..]);
    let loaded = each(of_app, &composed.files, |component, file| match previous(&component.name) {
        Some(previous) if is_same(previous, file) => Ok(previous.loaded.clone()),
        _ => planned.engines.load(file),
    })?;
    let components = link_all(parts, &composed, loaded, previous)?;
    Ok(Plan { name: app.name.clone(), components, limits: process, app: Some(planned) })
}

/// Links the `loaded` components of `app`.
fn link_all<'p>(
    parts: Parts<'static>,
    app: &ComposedApp<'_>,
    loaded: Vec<Loaded>,
    previous: impl Fn(&str) -> Option<&'p LinkedComponent>,
) -> Result<Vec<Arc<LinkedComponent>>, Error> {
    let links = links(app, &loaded)?;
    let items = loaded.into_iter().zip(links).zip(&app.files);
    each((app.name, &app.components), items, |component, ((loaded, links), file)| {
        let (limits, previous) = (file.limits().clone(), previous(&component.name));
        let (path, settings) = (&component.source, &component.settings);
        LinkedComponent::link(parts, path, settings, limits, loaded, links, previous).map(Arc::new)
    })
}

/// Creates what the components of `app` share.
fn share(
    app: &Arc<App>,
    (process, depth, reserved): (&Limits, usize, usize),
    settings: &Settings,
) -> anyhow::Result<PlannedApp> {
    let spare = if process.requests <= MAX_REQUESTS_WITH_SPARE { SPARE_DEPTHS } else { 0 };
    let admission = AppAdmission::new(process, depth.saturating_add(spare), reserved);
    let idle = idle_instances(app);
    // Some more components find room in the pools.
    let instances = admission.calls().saturating_add(idle.saturating_mul(rounded_count(app)));
    let engines = AppEngines::new(instances, settings)?;
    Ok(PlannedApp { declared: app.clone(), admission, reserved, idle, engines })
}

/// Returns the number of components of `app`, and of those that may be added before the pools become too small.
fn rounded_count(app: &App) -> usize {
    app.components.len().next_power_of_two().max(IDLE_INSTANCES / MAX_IDLE)
}

/// Returns the maximum number of idle instances of one component of `app`.
fn idle_instances(app: &App) -> usize {
    (IDLE_INSTANCES / rounded_count(app)).clamp(MIN_IDLE, MAX_IDLE)
}

/// Returns whether the permits and pools of `previous` are those of an app with these limits and components.
fn fits(previous: &Plan, (process, depth, reserved): (&Limits, usize, usize), app: &App) -> bool {
    let counts = |limits: &Limits| (limits.requests, limits.streams());
    previous.app.as_ref().is_some_and(|planned| {
        counts(&previous.limits) == counts(process)
            && planned.reserved == reserved
            && depth < planned.admission.depths()
            && planned.idle == idle_instances(app)
            && rounded_count(app) <= rounded_count(&planned.declared)
    })
}

/// Returns whether `file` is that of `previous`, and gets the same engine.
fn is_same(previous: &LinkedComponent, file: &ScannedFile) -> bool {
    previous.loaded.digest == file.digest && same_engine_limits(&previous.limits, file.limits())
}

/// The result of [`check_app`].
pub(crate) struct CheckedApp {
    /// The components that were compiled, with their limits: none if a mistake was found before.
    pub(crate) loaded: Vec<(Loaded, Limits)>,
    /// What keeps the app from running.
    pub(crate) mistakes: Result<(), Error>,
}

impl From<Result<(), Error>> for CheckedApp {
    fn from(mistakes: Result<(), Error>) -> Self {
        Self { loaded: Vec::new(), mistakes }
    }
}

/// Checks `app` as [`plan`] does, without pools of instances.
///
/// # Errors
///
/// A file cannot be read or is no component.
pub(crate) fn check_app(parts: Parts<'static>, app: &App, loaded: &LoadedSettings) -> anyhow::Result<CheckedApp> {
    let settings = &*loaded.settings;
    let mut unreadable = Problems::new(&app.name);
    let files = read(parts, app, settings, &mut unreadable);
    let mut problems = Problems::new(&app.name);
    let checked = check(parts, app, &files, true, &mut problems);
    if files.iter().any(Option::is_none) {
        unreadable.append(problems);
        unreadable.into_result()?;
        return Ok(Ok(()).into());
    }
    let files: Vec<ScannedFile> = files.into_iter().flatten().collect();
    let composed = problems.into_result().and_then(|()| {
        reserved(app, &files, &Limits::from_settings(settings)?)?;
        compose_files(parts, app, files, &checked)
    });
    Ok(match composed {
        Ok(composed) => check_links(parts, app, &composed, loaded)?,
        Err(mistakes) => Err(mistakes).into(),
    })
}

/// Compiles and links the components of `app`.
fn check_links(
    parts: Parts<'static>,
    declared: &App,
    app: &ComposedApp<'_>,
    loaded_settings: &LoadedSettings,
) -> anyhow::Result<CheckedApp> {
    let mut engines = AppEngines::new(0, &loaded_settings.settings)?;
    engines.extend(&app.files)?;
    let loaded = each((app.name, &app.components), &app.files, |_, file| engines.load(file));
    Ok(match loaded {
        Ok(loaded) => {
            let with_limits = loaded.iter().cloned().zip(app.files.iter().map(|file| file.limits().clone()));
            let with_limits = with_limits.collect();
            let linked = link_all(parts, app, loaded, |_| None);
            let mistakes = linked.and_then(|components| {
                let linked = check::Linked { parts, name: app.name, app: Some(declared), components: &components };
                check::linked(linked, loaded_settings, |_| false)
            });
            CheckedApp { loaded: with_limits, mistakes }
        }
        Err(mistakes) => Err(mistakes).into(),
    })
}

/// Composes the components of `app`, without compiling anything.
///
/// # Errors
///
/// As [`plan`], up to the composition.
pub(crate) fn compose<'a>(parts: Parts<'_>, app: &'a App, settings: &Settings) -> anyhow::Result<ComposedApp<'a>> {
    // The settings are those of the host that runs the file.
    let (files, checked) = scan(parts, app, settings, false)?;
    Ok(compose_files(parts, app, files, &checked)?)
}

fn compose_files<'a>(
    parts: Parts<'_>,
    app: &'a App,
    files: Vec<ScannedFile>,
    checked: &AppCheck,
) -> Result<ComposedApp<'a>, Error> {
    let concurrent = link::concurrent_packages(parts.services);
    compose::compose(app, files, (parts.services, &concurrent), |name| checked.reachable.iter().any(|it| it == name))
}

/// Applies `step` to each of `components` of the app `name` with its item of `items`.
///
/// # Errors
///
/// One error lists those of all components.
fn each<'a, I, T>(
    (name, components): (&str, &[&'a AppComponentSettings]),
    items: impl IntoIterator<Item = I>,
    mut step: impl FnMut(&'a AppComponentSettings, I) -> anyhow::Result<T>,
) -> Result<Vec<T>, Error> {
    let mut problems = Problems::new(name);
    let mut results = Vec::new();
    for (component, item) in components.iter().zip(items) {
        match step(component, item) {
            Ok(result) => results.push(result),
            Err(error) => problems.add(0, in_component(component, error)),
        }
    }
    problems.into_result().map(|()| results)
}

/// Finds the links between the components.
fn links(app: &ComposedApp<'_>, loaded: &[Loaded]) -> Result<Vec<AppLinks>, Error> {
    let components: Vec<&Component> = loaded.iter().map(|loaded| &loaded.component).collect();
    let names: Vec<&str> = app.components.iter().map(|component| component.name.as_str()).collect();
    let is_imported = |name: &str| app.imports.iter().flatten().any(|import| import.component == name);
    each((app.name, &app.components), components.iter().zip(&app.imports), |component, (importer, imports)| {
        let find = |import| {
            let bad = |problem: String| Error::new(ErrorKind::BadComponent, format!("{IMPORTS}: {problem}"));
            links::find(&names, &components, importer, import).map_err(bad)
        };
        let links = imports.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let mut numbered = links.iter().enumerate();
        let repeated =
            numbered.find(|(index, link)| links.iter().take(*index).any(|other| other.import == link.import));
        if let Some((_, link)) = repeated {
            let problem = format!("{IMPORTS}: `{}` is linked twice; remove one of the lines", link.import);
            return Err(Error::new(ErrorKind::BadConfiguration, problem).into());
        }
        Ok(AppLinks { links, is_imported: is_imported(&component.name) })
    })
}

/// Reads and validates the files of all components, and lets all triggers check the settings. If the app `runs`, all that
/// this machine needs for it is checked too.
///
/// # Errors
///
/// One error lists all problems, of files and of settings.
fn scan(parts: Parts<'_>, app: &App, settings: &Settings, runs: bool) -> Result<(Vec<ScannedFile>, AppCheck), Error> {
    let mut problems = Problems::new(&app.name);
    let files = read(parts, app, settings, &mut problems);
    let checked = check(parts, app, &files, runs, &mut problems);
    problems.into_result().map(|()| (files.into_iter().flatten().collect(), checked))
}

/// Reads and validates the files of all components. `None` stands for one with a problem.
fn read(parts: Parts<'_>, app: &App, settings: &Settings, problems: &mut Problems) -> Vec<Option<ScannedFile>> {
    let concurrent = link::concurrent_packages(parts.services);
    let read = |component: &AppComponentSettings| {
        // A bad limit is found with the bad values of all flags.
        let limits = Limits::from_settings(&component.settings).unwrap_or_default();
        ScannedFile::read((&component.name, &component.source), limits, settings, &concurrent)
    };
    let files = app.components.iter().map(|component| match read(component) {
        Ok(file) => Some(file),
        Err(error) => {
            problems.add(0, in_component(component, error));
            None
        }
    });
    files.collect()
}

/// Lets all triggers check the settings, and finds components that nothing calls and mistakes in grants. A file with a problem
/// passes for one that exports everything.
fn check(parts: Parts<'_>, app: &App, files: &[Option<ScannedFile>], runs: bool, problems: &mut Problems) -> AppCheck {
    let mut all = AppCheck::default();
    let mut advice: Vec<Vec<&str>> = vec![Vec::new(); app.components.len()];
    let imports = if runs { imports(app, files) } else { vec![None; files.len()] };
    for trigger in parts.triggers {
        let calls = |file: &ScannedFile| may_export(&file.shape, |export| trigger.calls(export));
        let exports: Vec<bool> = files.iter().map(|file| file.as_ref().is_none_or(calls)).collect();
        let outlines = app.components.iter().zip(&exports);
        let outlines: Vec<_> = outlines
            .zip(&imports)
            .map(|((component, exports), imports)| {
                ComponentOutline::new(&component.name, &component.settings, *exports).with_imports(imports.as_deref())
            })
            .collect();
        let checked = (trigger.check)(&outlines);
        checked.errors.into_iter().for_each(|error| problems.add(0, error));
        if checked.edges.is_empty() {
            all.edges.extend(checked.reachable.iter().map(|name| AppEdge::entry(trigger.name, name)));
        }
        all.edges.extend(checked.edges);
        all.reachable.extend(checked.reachable);
        all.undeclared.extend(checked.undeclared);
        all.chain_depth = all.chain_depth.max(checked.chain_depth);
        let calling = advice.iter_mut().zip(exports).filter(|(_, exports)| *exports);
        calling.for_each(|(advice, _)| advice.extend(checked.advice));
    }
    unreachable::problems(parts, app, files, &all, &advice).into_iter().for_each(|error| problems.add(0, error));
    data_folders::problems(app).into_iter().for_each(|error| problems.add(0, error));
    if runs {
        check::scanned(parts, app, files, problems);
    }
    all.chain_depth = chain_depth(all.chain_depth, app);
    all
}

/// Returns the interfaces that each component imports, as far as they are known.
fn imports(app: &App, files: &[Option<ScannedFile>]) -> Vec<Option<Vec<String>>> {
    let of_component = |(component, file): (&AppComponentSettings, &Option<ScannedFile>)| {
        let imports = check::known_imports(app, component, file.as_ref()?)?;
        Some(imports.iter().map(|import| import.interface().to_owned()).collect())
    };
    app.components.iter().zip(files).map(of_component).collect()
}

/// Returns how many calls one call can have under way in a row: `requests` between components, and calls of imports.
fn chain_depth(requests: usize, app: &App) -> usize {
    let position = |name: &str| app.components.iter().position(|component| component.name == name);
    let imports = app
        .components
        .iter()
        .map(|component| component.imports.iter().filter_map(|import| position(&import.component)).collect());
    match (requests, cycles::longest(&imports.collect::<Vec<_>>())) {
        (requests, 0) => requests,
        (0, imports) => imports,
        // Both kinds may alternate.
        _ => MAX_CHAIN_DEPTH,
    }
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
pub(super) fn in_component(component: &AppComponentSettings, error: anyhow::Error) -> Error {
    let kind = error.downcast_ref::<Error>().map_or(ErrorKind::Internal, Error::kind);
    let message = format!("component.{} ({})", component.name, component.place);
    let error = error.downcast::<Error>().unwrap_or_else(|error| Error::internal(error.into_boxed_dyn_error()));
    Error::new(kind, message).with_source(error)
}
