//! `inspect`: a component's imports and exports, and what satisfies and calls them in this runtime.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::command;
use crate::interfaces::{self, Interfaces, is_same_interface};
use crate::link::WASI_PACKAGES;
use crate::load::Loaded;
use crate::loaded_settings::App;
use crate::manifest::{DeclaredImport, LinkKind};
use crate::missing::{self, MissingImport};
use crate::registry::{ServiceEntry, TriggerEntry, unversioned};
use crate::release_candidate::{RELEASE, is_other_candidate, is_renamed, name_in_file};

/// The report of `inspect`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    component: String,
    wasi: &'static str,
    imports: Vec<Import>,
    exports: Vec<Export>,
    /// The names of the services that it imports or that its triggers need.
    #[serde(skip)]
    services: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Import {
    name: String,
    /// The interface, if the name is a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    implements: Option<String>,
    /// `WASI`, the name of a service, or another component. `None` if the import is missing or a type only.
    satisfied_by: Option<Cow<'static, str>>,
    /// The version that satisfies it, if that has another name: a release candidate runs as the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_as: Option<&'static str>,
    /// A hint at the nearest match, if the import is missing.
    nearest: Option<String>,
}

#[derive(Debug, Serialize)]
struct Export {
    name: String,
    /// The trigger or the component that calls it, if there is one.
    called_by: Option<Cow<'static, str>>,
    /// The version that is called, if that has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_as: Option<&'static str>,
}

/// Inspects a loaded component.
///
/// # Errors
///
/// WASI or a service cannot be linked at all.
pub(crate) fn inspect(
    runtime: &str,
    loaded: &Loaded,
    services: &[ServiceEntry],
    triggers: &[TriggerEntry],
    links: DeclaredLinks<'_>,
) -> anyhow::Result<Report> {
    let interfaces = Interfaces::of(&loaded.component);
    let linker = crate::link::linker(&loaded.component, &loaded.shape, &interfaces, services)?;
    let missing = missing::find(linker, &loaded.component, &interfaces);
    let imports = interfaces.imports.iter().map(|import| {
        let missing = missing.iter().find(|missing| missing.import == *import);
        match links.declared(&import.name) {
            Some(link) => Import::linked(&import.name, link),
            None => self::import(runtime, import, missing, services),
        }
    });
    let imports = imports.collect();
    let exports = interfaces.exports.iter().map(|name| export(name, triggers, links.importer(name))).collect();
    let wasi = if loaded.shape.concurrent { "0.3" } else { "0.2" };
    let used = used_services(&interfaces, services, triggers);
    Ok(Report { component: loaded.name.clone(), wasi, imports, exports, services: used })
}

fn used_services(interfaces: &Interfaces, services: &[ServiceEntry], triggers: &[TriggerEntry]) -> Vec<&'static str> {
    let serves = |trigger: &&TriggerEntry| interfaces.exports.iter().any(|export| trigger.calls(export));
    let is_used = |service: &&ServiceEntry| {
        let imported = interfaces.imports.iter().any(|import| service.offers(import.interface()));
        imported || triggers.iter().filter(serves).any(|trigger| trigger.service == service.id)
    };
    services.iter().filter(is_used).map(|service| service.name).collect()
}

fn import(
    runtime: &str,
    import: &interfaces::Import,
    missing: Option<&MissingImport>,
    services: &[ServiceEntry],
) -> Import {
    let name = import.interface();
    let nearest = missing.map(|missing| missing::nearest(runtime, missing, services));
    let service = services.iter().find(|service| service.offers(name)).map(|service| service.name);
    let package = unversioned(name).split_once('/').map_or("", |(package, _)| package);
    let wasi = WASI_PACKAGES.iter().any(|known| unversioned(known) == package).then_some("WASI");
    let satisfied_by = if nearest.is_some() { None } else { service.or(wasi).map(Cow::Borrowed) };
    let implements = import.label().map(|_| name.to_owned());
    Import { name: name_in_file(&import.name).into_owned(), implements, satisfied_by, runs_as: runs_as(name), nearest }
}

fn export(name: &str, triggers: &[TriggerEntry], importer: Option<&str>) -> Export {
    let called_by = if is_other_candidate(name) { None } else { caller(name, triggers).map(Cow::Borrowed) };
    let called_by = called_by.or_else(|| importer.map(of_component));
    Export { name: name_in_file(name).into_owned(), called_by, runs_as: runs_as(name) }
}

fn of_component(name: &str) -> Cow<'static, str> {
    format!("the component {name}").into()
}

impl Import {
    /// Returns the name as WIT writes it.
    fn text(&self) -> Cow<'_, str> {
        match &self.implements {
            Some(interface) => format!("{}: {interface}", self.name).into(),
            None => Cow::Borrowed(&self.name),
        }
    }

    /// Returns the import `name` that another component satisfies by `link`.
    fn linked(name: &str, link: &DeclaredImport) -> Self {
        let exporter = of_component(&link.component);
        let satisfied_by = match &link.link {
            LinkKind::Isolated => exporter,
            LinkKind::Composed { inherit } if inherit.is_empty() => format!("{exporter}, composed").into(),
            LinkKind::Composed { inherit } => format!("{exporter}, composed, inherits {}", inherit.join(", ")).into(),
        };
        let (name, satisfied_by) = (name.to_owned(), Some(satisfied_by));
        Self { name, implements: None, satisfied_by, runs_as: None, nearest: None }
    }
}

/// The links of a component that the manifest of its app declares.
#[derive(Clone, Copy, Default)]
pub(crate) struct DeclaredLinks<'a> {
    /// The app and the component's name; `None` without an app.
    pub(crate) app: Option<(&'a App, &'a str)>,
}

impl<'a> DeclaredLinks<'a> {
    /// Returns the link of `import`, which this component or one that is composed into it declares.
    fn declared(self, import: &str) -> Option<&'a DeclaredImport> {
        let (app, name) = self.app?;
        let imports = &app.components.iter().find(|component| component.name == name)?.imports;
        let own = imports.iter().find(|declared| is_same_interface(import, &declared.interface));
        let composed = imports.iter().filter(|declared| declared.link != LinkKind::Isolated);
        own.or_else(|| {
            composed.flat_map(|declared| Self { app: Some((app, &declared.component)) }.declared(import)).next()
        })
    }

    /// Returns the first component that imports `export` from this one.
    fn importer(self, export: &str) -> Option<&'a str> {
        let (app, name) = self.app?;
        let is_linked =
            |import: &&DeclaredImport| import.component == name && is_same_interface(export, &import.interface);
        let mut components = app.components.iter();
        components
            .find(|component| component.imports.iter().any(|import| is_linked(&import)))
            .map(|it| it.name.as_str())
    }
}

/// Returns the version that `name` runs as, unless it is its own.
fn runs_as(name: &str) -> Option<&'static str> {
    is_renamed(name).then_some(RELEASE)
}

fn caller(export: &str, triggers: &[TriggerEntry]) -> Option<&'static str> {
    let trigger = triggers.iter().find(|trigger| trigger.calls(export)).map(|trigger| trigger.name);
    trigger.or((unversioned(export) == command::RUN).then_some("run, once"))
}

impl Report {
    /// Names the component as its app does.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { component: name.to_owned(), ..self }
    }

    /// Returns the component's name.
    pub(crate) fn name(&self) -> &str {
        &self.component
    }

    /// Returns whether the component uses the service `name`.
    pub(crate) fn uses(&self, name: &str) -> bool {
        self.services.contains(&name)
    }

    /// Returns whether `trigger` calls an export.
    pub(crate) fn is_called_by(&self, trigger: &TriggerEntry) -> bool {
        self.exports.iter().any(|export| export.called_by.as_deref() == Some(trigger.name))
    }

    /// Formats the report as text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} (WASI {})\n", self.component, self.wasi);
        let width = self.imports.iter().map(|import| import.text().len());
        let width = width.chain(self.exports.iter().map(|export| export.name.len())).max().unwrap_or(0);
        text.push_str("imports\n");
        for import in &self.imports {
            let state = match (&import.satisfied_by, &import.nearest) {
                (_, Some(nearest)) => format!("MISSING: {nearest}"),
                (Some(service), _) => with_version(service, import.runs_as),
                (None, None) => "type only".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {:width$}  {state}", import.text());
        }
        text.push_str("exports\n");
        for export in &self.exports {
            let caller = with_version(export.called_by.as_deref().unwrap_or("not called here"), export.runs_as);
            let _ = writeln!(text, "  {:width$}  {caller}", export.name);
        }
        text
    }
}

fn with_version(name: &str, runs_as: Option<&str>) -> String {
    runs_as.map_or_else(|| name.to_owned(), |version| format!("{name}, as {version}"))
}
