//! The components of an app, composed as its manifest declares.

use std::collections::BTreeSet;
use std::path::Path;

use tempo_settings::{Error, ErrorKind};

use super::composer::Composer;
use crate::load::ScannedFile;
use crate::loaded_settings::{App, AppComponentSettings};
use crate::manifest::{DeclaredImport, LinkKind};
use crate::problems::Problems;
use crate::registry::ServiceEntry;

/// The components of an app that run: those without the ones that are only composed into others.
pub(crate) struct ComposedApp<'a> {
    /// The app's name.
    pub(crate) name: &'a str,
    /// The components.
    pub(crate) components: Vec<&'a AppComponentSettings>,
    /// Their files, composed with their dependencies.
    pub(crate) files: Vec<ScannedFile>,
    /// Their isolated links, and those of their dependencies.
    pub(crate) imports: Vec<Vec<DeclaredImport>>,
    app: &'a App,
}

impl<'a> ComposedApp<'a> {
    /// Returns the paths of the files of all components, also of those that do not run.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &'a Path> + use<'a> {
        self.app.components.iter().map(|component| component.source.as_path())
    }
}

/// Composes the components of `app`, whose files are `files`. `is_called` returns whether a trigger calls the component of this name.
///
/// # Errors
///
/// One error lists the links that cannot be composed.
pub(crate) fn compose<'a>(
    app: &'a App,
    files: Vec<ScannedFile>,
    (services, concurrent_packages): (&[ServiceEntry], &[&str]),
    is_called: impl Fn(&str) -> bool,
) -> Result<ComposedApp<'a>, Error> {
    let mut composer = Composer::new(app, &files, services);
    let mut problems = Problems::new(&app.name);
    let mut composed = Vec::new();
    for (index, component) in app.components.iter().enumerate() {
        match composer.component(index).and_then(|()| composer.scanned(index, concurrent_packages)) {
            Ok(scanned) => composed.push(scanned),
            Err(error) => problems.add(0, error.of(component)),
        }
    }
    let imports = composer.isolated();
    problems.into_result()?;
    let only_composed = only_composed(app, &imports, is_called);
    check_settings(app, &only_composed)?;
    let files = files.into_iter().zip(composed).map(|(file, composed)| composed.unwrap_or(file));
    let mut result =
        ComposedApp { name: &app.name, components: Vec::new(), files: Vec::new(), imports: Vec::new(), app };
    for ((component, file), imports) in app.components.iter().zip(files).zip(imports) {
        if !only_composed.contains(component.name.as_str()) {
            result.components.push(component);
            result.files.push(file);
            result.imports.push(imports);
        }
    }
    Ok(result)
}

/// Refuses settings of a component that is only composed: it has those of the component that it is composed into.
fn check_settings(app: &App, only_composed: &BTreeSet<&str>) -> Result<(), Error> {
    let mut problems = Problems::new(&app.name);
    let without = |component: &&AppComponentSettings| only_composed.contains(component.name.as_str());
    for component in app.components.iter().filter(without).filter(|component| !component.own_flags.is_empty()) {
        let AppComponentSettings { name, place, own_flags, .. } = component;
        let message =
            format!("component.{name} ({place}): it is only composed into others, and has no settings of its own");
        let advice = format!(
            "set these under the components that import it, and name grants in `inherit`: {}",
            own_flags.join(", ")
        );
        problems.add(0, Error::new(ErrorKind::BadConfiguration, message).with_advice(advice));
    }
    problems.into_result()
}

/// Returns the components that only composed links reach.
fn only_composed<'a>(
    app: &'a App,
    isolated: &[Vec<DeclaredImport>],
    is_called: impl Fn(&str) -> bool,
) -> BTreeSet<&'a str> {
    let is_composed = |name: &str| {
        let mut imports = app.components.iter().flat_map(|component| &component.imports);
        imports.any(|import| import.component == name && import.link != LinkKind::Isolated)
    };
    let names = app.components.iter().map(|component| component.name.as_str());
    let mut only: BTreeSet<&str> = names.filter(|name| is_composed(name) && !is_called(name)).collect();
    loop {
        let running = app.components.iter().zip(isolated).filter(|(component, _)| !only.contains(&*component.name));
        let imported: BTreeSet<&str> =
            running.flat_map(|(_, imports)| imports).map(|import| import.component.as_str()).collect();
        let before = only.len();
        only.retain(|name| !imported.contains(name));
        if only.len() == before {
            return only;
        }
    }
}
