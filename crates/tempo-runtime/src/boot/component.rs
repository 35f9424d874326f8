//! One component on its way through the boot: loaded and linked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempo_core::{Limits, StoreData};
use tempo_settings::{Error, ErrorKind, Settings};
use wasmtime::Engine;
use wasmtime::component::InstancePre;

use super::Parts;
use crate::command;
use crate::interfaces::{Import, Interfaces};
use crate::link;
use crate::links::Link;
use crate::load::{Loaded, in_file};
use crate::read_files::{ReadFile, read_files};
use crate::registry::{ServiceEntry, TriggerEntry, unversioned};
use crate::release_candidate;

/// A component that is loaded and linked. No backend of it is connected.
pub(crate) struct LinkedComponent {
    /// Its file.
    pub path: PathBuf,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// Its limits.
    pub limits: Limits,
    /// The compiled component.
    pub loaded: Loaded,
    /// Its imports and exports.
    pub interfaces: Interfaces,
    /// The triggers that call it.
    pub serving: Vec<&'static TriggerEntry>,
    /// The services that it imports or that its triggers need.
    pub needed: Vec<&'static ServiceEntry>,
    /// The files that its services read once.
    pub read_files: Vec<ReadFile>,
    /// Its links to other components of the app.
    pub links: Vec<Link>,
    /// The linked component.
    pub pre: Arc<InstancePre<StoreData>>,
}

/// The place of a component in its app.
#[derive(Default)]
pub(crate) struct AppLinks {
    /// Its links to other components.
    pub links: Vec<Link>,
    /// Whether others have links to it.
    pub is_imported: bool,
}

impl LinkedComponent {
    /// Links the component of the file `path`. The linked component of `previous` is used again if code and links are the same.
    ///
    /// # Errors
    ///
    /// An import is missing or has another type, or no trigger calls an export.
    pub(crate) fn link(
        parts: Parts<'static>,
        path: &Path,
        settings: &Arc<Settings>,
        limits: Limits,
        loaded: Loaded,
        AppLinks { links, is_imported }: AppLinks,
        previous: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let interfaces = Interfaces::of(&loaded.component);
        let called = |trigger: &&TriggerEntry| exported(&interfaces, |name| trigger.calls(name));
        let serving: Vec<_> = parts.triggers.iter().filter(called).collect();
        if serving.is_empty() && !is_imported && !command::is_command(&interfaces) {
            return Err(no_handler(path, &interfaces, parts.triggers).into());
        }
        let needed = needed(parts.services, &serving, &interfaces);
        let read_files = read_files(&needed, settings);
        let (path, settings) = (path.to_owned(), settings.clone());
        if let Some((links, pre)) = previous.and_then(|previous| previous.relink(&loaded, &links)) {
            return Ok(Self { path, settings, limits, loaded, interfaces, serving, needed, read_files, links, pre });
        }
        let pre = link::link(parts.runtime, &loaded.component, &loaded.shape, &interfaces, parts.services, &links)?;
        check_exports(&path, &interfaces, &serving)?;
        let pre = Arc::new(pre);
        Ok(Self { path, settings, limits, loaded, interfaces, serving, needed, read_files, links, pre })
    }

    /// Returns the linked component and its links, if `loaded` is the same component and `links` are the same.
    fn relink(&self, loaded: &Loaded, links: &[Link]) -> Option<(Vec<Link>, Arc<InstancePre<StoreData>>)> {
        let is_same = |(link, own): (&Link, &Link)| link.import == own.import && link.callee.is_same(&own.callee);
        let same_code = self.loaded.digest == loaded.digest
            && Engine::same(self.loaded.component.engine(), loaded.component.engine());
        if !same_code || links.len() != self.links.len() || !links.iter().zip(&self.links).all(is_same) {
            return None;
        }
        // The linked functions refer to the callees of the previous links.
        let of_previous = |(link, own): (&Link, &Link)| Link { exporter: link.exporter, ..own.clone() };
        Some((links.iter().zip(&self.links).map(of_previous).collect(), self.pre.clone()))
    }

    /// Returns whether the component may store data in the data directory.
    pub(crate) fn has_stores(&self) -> bool {
        let is_data = |flag: &tempo_settings::Flag| flag.name == tempo_backend::DATA.name;
        self.needed.iter().any(|service| service.flags.iter().any(is_data))
    }
}

/// Refuses exports of a release candidate that does not run.
fn check_exports(path: &Path, interfaces: &Interfaces, serving: &[&TriggerEntry]) -> anyhow::Result<()> {
    let is_called =
        |export: &str| serving.iter().any(|trigger| trigger.calls(export)) || unversioned(export) == command::RUN;
    release_candidate::check_exports(interfaces, is_called).map_err(|error| in_file(path, error.into()))
}

fn exported(interfaces: &Interfaces, predicate: impl Fn(&str) -> bool) -> bool {
    interfaces.exports.iter().any(|export| predicate(export))
}

/// Returns the services that the component imports or that its triggers need.
fn needed(
    services: &'static [ServiceEntry],
    triggers: &[&TriggerEntry],
    interfaces: &Interfaces,
) -> Vec<&'static ServiceEntry> {
    services.iter().filter(|service| is_needed(service, triggers, &interfaces.imports)).collect()
}

/// Returns whether a component with these `imports`, which `triggers` call, needs `service`.
pub(super) fn is_needed(service: &ServiceEntry, triggers: &[&TriggerEntry], imports: &[Import]) -> bool {
    imports.iter().any(|import| service.offers(import.interface()))
        || triggers.iter().any(|trigger| trigger.service == service.id)
}

fn no_handler(path: &Path, interfaces: &Interfaces, triggers: &[TriggerEntry]) -> Error {
    let mut wanted: Vec<&str> = triggers.iter().flat_map(|trigger| trigger.exports).copied().collect();
    wanted.push(command::RUN);
    let exports: Vec<_> = interfaces.exports.iter().map(|export| release_candidate::name_in_file(export)).collect();
    let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    let message = format!("{}: exports none of: {}; it exports {exports}", path.display(), wanted.join(", "));
    Error::new(ErrorKind::BadComponent, message)
}
