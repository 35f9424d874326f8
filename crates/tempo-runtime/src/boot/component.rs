//! One component on its way through the boot: loaded, linked, connected.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::try_join_all;
use tempo_backend::ByteBudget;
use tempo_core::{
    AppHandle, BackgroundSpawner, BootContext, ChainDepth, Limits, OpenFiles, ServiceState, Sockets, StoreContext,
    StoreData, Workload,
};
use tempo_settings::{Error, ErrorKind, Settings};
use tempo_telemetry::{Health, Telemetry};
use wasmtime::component::InstancePre;

use super::Parts;
use crate::command;
use crate::engine::TICK;
use crate::grants::{Grants, Io};
use crate::guest_output::log_budget;
use crate::interfaces::Interfaces;
use crate::link;
use crate::links::Link;
use crate::load::{Loaded, in_file};
use crate::own_files::OwnFiles;
use crate::registry::{ConnectedBackend, ServiceEntry, TriggerEntry, unversioned};
use crate::release_candidate;
use crate::sockets::WasiSocketGrants;
use crate::tls::{self, Authorities};

/// A component that is loaded and linked. No backend of it is connected.
pub(crate) struct LinkedComponent<'a> {
    /// Its file.
    pub path: PathBuf,
    /// Its settings.
    pub settings: &'a Settings,
    /// Its limits.
    pub limits: Limits,
    /// The compiled component.
    pub loaded: Loaded,
    /// Its imports and exports.
    pub interfaces: Interfaces,
    /// The triggers that call it.
    pub serving: Vec<&'a TriggerEntry>,
    /// The services that it imports or that its triggers need.
    pub needed: Vec<&'a ServiceEntry>,
    /// Its links to other components of the app.
    pub links: Vec<Link>,
    /// The linked component.
    pub pre: InstancePre<StoreData>,
}

/// The place of a component in its app.
#[derive(Default)]
pub(crate) struct AppLinks {
    /// Its links to other components.
    pub links: Vec<Link>,
    /// Whether others have links to it.
    pub is_imported: bool,
}

impl<'a> LinkedComponent<'a> {
    /// Links the component of the file `path`.
    ///
    /// # Errors
    ///
    /// An import is missing or has another type, or no trigger calls an export.
    pub(crate) fn link(
        parts: &Parts<'a>,
        path: &Path,
        settings: &'a Settings,
        limits: Limits,
        loaded: Loaded,
        AppLinks { links, is_imported }: AppLinks,
    ) -> anyhow::Result<Self> {
        let interfaces = Interfaces::of(&loaded.component);
        let called = |trigger: &&TriggerEntry| exported(&interfaces, |name| trigger.calls(name));
        let serving: Vec<_> = parts.triggers.iter().filter(called).collect();
        if serving.is_empty() && !is_imported && !command::is_command(&interfaces) {
            return Err(no_handler(path, &interfaces, parts.triggers).into());
        }
        let needed = needed(parts.services, &serving, &interfaces);
        let pre = link::link(parts.runtime, &loaded.component, &loaded.shape, &interfaces, parts.services, &links)?;
        check_exports(path, &interfaces, &serving)?;
        Ok(Self { path: path.to_owned(), settings, limits, loaded, interfaces, serving, needed, links, pre })
    }

    /// Returns whether the component may store data in the data directory.
    pub(crate) fn has_stores(&self) -> bool {
        let is_data = |flag: &tempo_settings::Flag| flag.name == tempo_backend::DATA.name;
        self.needed.iter().any(|service| service.flags.iter().any(is_data))
    }
}

/// What the components of a process share while they are connected.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The handle for spans and metrics of the process.
    pub telemetry: &'a Telemetry,
    /// The health of the process.
    pub health: &'a Health,
    /// Spawns onto the background threads.
    pub spawn: &'a BackgroundSpawner,
    /// The app, if there are several components.
    pub app: Option<&'a AppHandle>,
    /// The backends in memory that the components of an app share.
    pub shared: Option<&'a tempo_backend::SharedBackends>,
}

/// A component that is ready to be called.
pub(crate) struct ConnectedComponent<'a> {
    /// The linked component.
    pub linked: &'a LinkedComponent<'a>,
    /// Its backends.
    pub backends: Arc<[ConnectedBackend]>,
    /// The component with its limits.
    pub workload: Workload,
}

impl<'a> ConnectedComponent<'a> {
    /// Connects the backends of `linked`, and grants it what its settings say.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or a backend cannot connect.
    pub(crate) async fn connect(
        linked: &'a LinkedComponent<'a>,
        own_files: &OwnFiles<'_>,
        io: Io,
        limits: Limits,
        around: Surroundings<'_>,
    ) -> anyhow::Result<Self> {
        let name = linked.loaded.name.as_str();
        let telemetry = match around.app {
            Some(_) => around.telemetry.in_app(name),
            None => around.telemetry.clone(),
        };
        let mut grants = Grants::from_settings(linked.settings, &limits, io, own_files)?;
        if tls::is_imported(&linked.interfaces) {
            grants = grants.with_authorities(Authorities::from_settings(linked.settings)?);
        }
        let boot =
            BootContext::new(name, &limits, linked.settings).with_telemetry(&telemetry).with_health(around.health);
        let boot = boot.with_shared(around.shared);
        let backends = try_join_all(linked.needed.iter().map(|service| (service.connect)(boot))).await?;
        let backends: Arc<[ConnectedBackend]> = backends.into();
        let data = store_data(name, grants, backends.clone(), limits.clone(), telemetry.clone(), around.app.is_some());
        let mut workload = Workload::builder(name, linked.pre.clone(), data)
            .concurrent(linked.loaded.shape.concurrent)
            .limits(limits)
            .tick(TICK)
            .background(around.spawn.clone())
            .telemetry(telemetry)
            .health(around.health.clone());
        if let Some(app) = around.app {
            workload = workload.app(app.clone());
        }
        Ok(Self { linked, backends, workload: workload.build() })
    }

    /// Creates the state of a store for the triggers of the component.
    pub(crate) fn store_context(&self) -> StoreContext {
        let (limits, telemetry) = (self.workload.limits(), self.workload.telemetry());
        StoreContext::new(ByteBudget::with_telemetry(limits.host_memory, telemetry.clone()))
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
fn needed<'a>(
    services: &'a [ServiceEntry],
    triggers: &[&TriggerEntry],
    interfaces: &Interfaces,
) -> Vec<&'a ServiceEntry> {
    let imported = |service: &ServiceEntry| interfaces.imports.iter().any(|import| service.offers(import));
    let called = |service: &ServiceEntry| triggers.iter().any(|trigger| trigger.service == service.id);
    services.iter().filter(|service| imported(service) || called(service)).collect()
}

/// Returns the function that creates the data of a store of the component `name`.
fn store_data(
    name: &str,
    grants: Grants,
    connected: Arc<[ConnectedBackend]>,
    limits: Limits,
    telemetry: Telemetry,
    in_app: bool,
) -> impl Fn() -> wasmtime::Result<StoreData> + Send + Sync + use<> {
    let refusals = log_budget(name.into(), &limits);
    move || {
        let depth = if in_app { ChainDepth::in_app() } else { ChainDepth::default() };
        let store = StoreContext::new(ByteBudget::with_telemetry(limits.host_memory, telemetry.clone()));
        let store = store.with_depth(depth.clone());
        let (open_files, open_sockets) = (OpenFiles::new(&limits), Sockets::default());
        let sockets = grants.sockets(open_sockets.acceptor(&open_files));
        let data = StoreData::new(grants.context(&store, &sockets)?, &limits, store.bytes.clone())
            .with_log_tail(store.log_tail.clone())
            .with_depth(depth)
            .with_open_files(open_files, open_sockets)
            .with_reporting(&telemetry, &refusals)
            .with(ServiceState::new::<WasiSocketGrants>(sockets));
        let data = match grants.tls(&store) {
            Some(tls) => data.with_tls(tls),
            None => data,
        };
        Ok(connected.iter().fold(data, |data, service| data.with((service.state)(&store))))
    }
}

fn no_handler(path: &Path, interfaces: &Interfaces, triggers: &[TriggerEntry]) -> Error {
    let mut wanted: Vec<&str> = triggers.iter().flat_map(|trigger| trigger.exports).copied().collect();
    wanted.push(command::RUN);
    let exports: Vec<_> = interfaces.exports.iter().map(|export| release_candidate::name_in_file(export)).collect();
    let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
    let message = format!("{}: exports none of: {}; it exports {exports}", path.display(), wanted.join(", "));
    Error::new(ErrorKind::BadComponent, message)
}
