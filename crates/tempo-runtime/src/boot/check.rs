//! Checks what the components need before one of them is connected, without contacting anything. `inspect` makes the same checks
//! as `run`, so that it reports what keeps an app from running.

use std::collections::BTreeSet;
use std::sync::Arc;

use tempo_backend::LabelledImport;
use tempo_core::{BootContext, ComponentOutline, Limits};
use tempo_settings::{Error, Settings};

use super::app::in_component;
use super::component::{LinkedComponent, is_needed};
use super::{Parts, unused};
use crate::grants::Grants;
use crate::interfaces::Import;
use crate::load::{ScannedFile, may_export};
use crate::loaded_settings::{App, AppComponentSettings, LoadedSettings};
use crate::manifest::LinkKind;
use crate::own_files::OwnFiles;
use crate::problems::Problems;
use crate::registry::TriggerEntry;
use crate::tls::{self, Authorities};

/// Components that are linked and not connected yet.
#[derive(Clone, Copy)]
pub(super) struct Linked<'a> {
    /// The runtime.
    pub(super) parts: Parts<'static>,
    /// The name of the app, or of the only component.
    pub(super) name: &'a str,
    /// The app, if there is one.
    pub(super) app: Option<&'a App>,
    /// The components.
    pub(super) components: &'a [Arc<LinkedComponent>],
}

/// Checks the settings of all components of `app`, before they are compiled. `files` are those that could be read.
pub(super) fn scanned(parts: Parts<'_>, app: &App, files: &[Option<ScannedFile>], problems: &mut Problems) {
    let mut found = Mistakes::default();
    for (component, file) in app.components.iter().zip(files) {
        let values = values(parts, &component.settings);
        let imports = file.as_ref().and_then(|file| known_imports(app, component, file));
        let calls = |trigger: &&TriggerEntry| {
            file.as_ref().is_some_and(|file| may_export(&file.shape, |export| trigger.calls(export)))
        };
        let serving: Vec<_> = parts.triggers.iter().filter(calls).collect();
        let of_services = services(parts, (&component.name, &component.settings), (imports, &serving));
        let of_grants = Grants::mistakes(&component.settings, None);
        let others = of_services.into_iter().chain(of_grants).filter(|error| !values.contains(error));
        others.for_each(|error| found.add(component, error));
        problems.add_new(values);
    }
    found.add_to(problems);
}

/// Checks the settings and grants of components that are linked, except those that are `connected` already. Adds warnings of
/// settings without effect.
///
/// # Errors
///
/// One error lists all mistakes.
pub(super) fn linked(
    Linked { parts, name, app, components }: Linked<'_>,
    loaded: &LoadedSettings,
    connected: impl Fn(&Arc<LinkedComponent>) -> bool,
) -> Result<(), Error> {
    let own_files = &OwnFiles::of(components, loaded)?;
    let (mut problems, mut found) = (Problems::new(name), Mistakes::default());
    for component in components.iter().filter(|component| !connected(component)) {
        let LinkedComponent { settings, interfaces, serving, .. } = &**component;
        let declared = app.and_then(|app| app.component(&component.loaded.name));
        let mut mistakes = Grants::mistakes(settings, Some(own_files));
        if tls::is_imported(interfaces) {
            mistakes.extend(Authorities::from_settings(settings).err());
        }
        let uses = (Some(&*interfaces.imports), &**serving);
        mistakes.extend(services(parts, (&component.loaded.name, settings), uses));
        match declared {
            Some(declared) => {
                mistakes.into_iter().for_each(|error| found.add(declared, error));
                unused::warnings(parts, declared, component).into_iter().for_each(|it| loaded.notices.add(it));
            }
            None => {
                problems.add_new(values(parts, settings));
                problems.add_new(mistakes);
            }
        }
    }
    found.add_to(&mut problems);
    if let Some(app) = app {
        triggers(parts, app, components).into_iter().for_each(|error| problems.add(0, error));
    }
    problems.into_result()
}

/// Lets all triggers check the linked `components` of `app`, whose imports are known now.
fn triggers(parts: Parts<'_>, app: &App, components: &[Arc<LinkedComponent>]) -> Vec<Error> {
    let interfaces = |component: &Arc<LinkedComponent>| -> Vec<String> {
        component.interfaces.imports.iter().map(|import| import.interface().to_owned()).collect()
    };
    let imports: Vec<_> = components.iter().map(interfaces).collect();
    let check = |trigger: &TriggerEntry| {
        let linked = |name: &str| components.iter().position(|component| component.loaded.name == name);
        let outlines = app.components.iter().map(|declared| {
            let index = linked(&declared.name);
            let component = index.and_then(|index| components.get(index));
            let exports = component.is_some_and(|component| component.serving.iter().any(|it| it.name == trigger.name));
            ComponentOutline::new(&declared.name, &declared.settings, exports)
                .with_imports(index.and_then(|index| imports.get(index)).map(Vec::as_slice))
        });
        (trigger.check)(&outlines.collect::<Vec<_>>()).errors
    };
    parts.triggers.iter().flat_map(check).collect()
}

/// Returns the imports of `component`, if its file has them all and they are those of the linked component.
pub(super) fn known_imports<'f>(
    app: &App,
    component: &AppComponentSettings,
    file: &'f ScannedFile,
) -> Option<&'f [Import]> {
    let is_composed = |import: &crate::manifest::DeclaredImport| import.link != LinkKind::Isolated;
    let mut all = app.components.iter().flat_map(|other| &other.imports).filter(|import| is_composed(import));
    let is_part = component.imports.iter().any(is_composed) || all.any(|import| import.component == component.name);
    file.imports().filter(|_| !is_part)
}

/// Finds bad values of all flags, also of those without effect on the component.
fn values(parts: Parts<'_>, settings: &Settings) -> Vec<Error> {
    // Several services and triggers may list the same flag.
    let mut seen = BTreeSet::new();
    let flags = parts.flags().into_iter().chain(Limits::FLAGS.iter().copied());
    flags.filter(|flag| seen.insert(flag.name)).flat_map(|flag| settings.mistakes(&flag)).collect()
}

/// Lets all services check the settings of the component `name`. Without its `imports`, none counts as used.
fn services(
    parts: Parts<'_>,
    (name, settings): (&str, &Settings),
    (imports, serving): (Option<&[Import]>, &[&TriggerEntry]),
) -> Vec<Error> {
    // A bad limit is found among the values.
    let limits = Limits::from_settings(settings).unwrap_or_default();
    let check = |service: &crate::registry::ServiceEntry| {
        let labels: Vec<LabelledImport> = imports.map(|imports| service.labels(imports)).unwrap_or_default();
        let is_used = imports.is_some_and(|imports| is_needed(service, serving, imports));
        let boot = BootContext::new(name, &limits, settings).with_labels(&labels).with_is_used(is_used);
        (service.check)(boot)
    };
    parts.services.iter().flat_map(check).collect()
}

/// Mistakes with the components that have them: one in a setting at the top of a manifest is that of many.
#[derive(Default)]
struct Mistakes<'a>(Vec<(Error, Vec<&'a AppComponentSettings>)>);

impl<'a> Mistakes<'a> {
    fn add(&mut self, component: &'a AppComponentSettings, error: Error) {
        match self.0.iter_mut().find(|(known, _)| *known == error) {
            Some((_, components)) if components.iter().any(|known| known.name == component.name) => {}
            Some((_, components)) => components.push(component),
            None => self.0.push((error, vec![component])),
        }
    }

    /// Adds them to `problems`; the name of the component precedes one that only one component has.
    fn add_to(self, problems: &mut Problems) {
        problems.add_new(self.0.into_iter().map(|(error, components)| match &components[..] {
            [one] => in_component(one, error.into()),
            _ => error,
        }));
    }
}
