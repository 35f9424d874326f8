//! A component that is connected: its backends, its grants, and what calls it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tempo_backend::{ByteBudget, LabelledImport};
use tempo_core::{
    AppHandle, BackgroundSpawner, BootContext, ChainDepth, Limits, OpenFiles, ServiceState, Sockets, StoreContext,
    StoreData, Workload,
};
use tempo_telemetry::{Health, Telemetry};
use wasmtime::component::InstancePre;

use super::Parts;
use super::app::in_component;
use super::check::{self, Linked};
use super::component::LinkedComponent;
use super::plan::Plan;
use crate::engine::TICK;
use crate::grants::{Grants, Io};
use crate::guest_output::log_budget;
use crate::load::Loaded;
use crate::loaded_settings::LoadedSettings;
use crate::own_files::OwnFiles;
use crate::read_files::ReadFile;
use crate::registry::{ConnectedBackend, ServiceEntry};
use crate::sockets::WasiSocketGrants;
use crate::tls::{self, Authorities};

/// No time limit: a thousand years, which can be added to an `Instant`.
const UNLIMITED: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

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
#[derive(Clone)]
pub(crate) struct ConnectedComponent {
    /// The linked component.
    pub linked: Arc<LinkedComponent>,
    /// Its backends.
    pub backends: Arc<[Arc<ConnectedBackend>]>,
    /// The component with its limits.
    pub workload: Workload,
}

impl ConnectedComponent {
    /// Connects the backends of `linked`, and grants it what its settings say. Backends of `previous`, the version that is served
    /// now, stay connected if their settings are the same.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or a backend cannot connect.
    async fn connect(
        linked: &Arc<LinkedComponent>,
        own_files: &OwnFiles<'_>,
        (io, limits): (Io, Limits),
        around: Surroundings<'_>,
        previous: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let name = linked.loaded.name.as_str();
        let (telemetry, health) = match around.app {
            Some(_) => (around.telemetry.in_app(name), around.health.in_app(name)),
            None => (around.telemetry.clone(), around.health.clone()),
        };
        let settings = &*linked.settings;
        let mut grants = Grants::from_settings(settings, &limits, io, own_files)?;
        if tls::is_imported(&linked.interfaces) {
            grants = grants.with_authorities(Authorities::from_settings(settings)?);
        }
        let boot = BootContext::new(name, &limits, settings).with_telemetry(&telemetry).with_health(&health);
        let boot = boot.with_shared(around.shared);
        let backends = linked.needed.iter().map(|service| async move {
            let labels = service.labels(&linked.interfaces.imports);
            match previous.and_then(|previous| previous.backend(service, linked, boot.limits, &labels)) {
                Some(backend) => Ok(backend),
                None => (service.connect)(boot.with_labels(&labels)).await.map(Arc::new),
            }
        });
        let backends: Arc<[Arc<ConnectedBackend>]> = try_join_all(backends).await?.into();
        let data = store_data(name, grants, backends.clone(), limits.clone(), telemetry.clone(), around.app.is_some());
        let mut workload = Workload::builder(name, InstancePre::clone(&linked.pre), data)
            .concurrent(linked.loaded.shape.concurrent)
            .limits(limits)
            .tick(TICK)
            .background(around.spawn.clone())
            .telemetry(telemetry)
            .health(health);
        if let Some(app) = around.app {
            workload = workload.app(app.clone());
        }
        if let Some(previous) = previous {
            workload = workload.replacing(&previous.workload);
        }
        Ok(Self { linked: linked.clone(), backends, workload: workload.build() })
    }

    /// Returns the backend of `service`, if another one for `linked`, with `limits` and `labels`, would be the same.
    fn backend(
        &self,
        service: &ServiceEntry,
        linked: &LinkedComponent,
        limits: &Limits,
        labels: &[LabelledImport],
    ) -> Option<Arc<ConnectedBackend>> {
        let same_labels = service.labels(&self.linked.interfaces.imports) == labels;
        let files = |linked: &LinkedComponent| -> Vec<ReadFile> {
            linked.read_files.iter().filter(|file| file.is_of(service)).cloned().collect()
        };
        let same = service.flags.iter().all(|flag| self.linked.settings.has_same(&linked.settings, flag))
            && files(&self.linked) == files(linked);
        let backend = self.backends.iter().find(|backend| backend.service == service.id);
        backend.filter(|_| same && same_labels && self.linked.limits == *limits).cloned()
    }

    /// Returns the component as part of the next plan, if `linked` and its settings are the same in it.
    fn unchanged(&self, parts: &Parts<'_>, linked: &Arc<LinkedComponent>, app: Option<&AppHandle>) -> Option<Self> {
        let same_app = match (app, self.workload.app()) {
            (Some(app), Some(own)) => app.admission.is_same(&own.admission),
            (app, own) => app.is_none() && own.is_none(),
        };
        let own = &self.linked;
        let same = same_app
            && Arc::ptr_eq(&own.pre, &linked.pre)
            && own.limits == linked.limits
            && own.read_files == linked.read_files
            && parts.component_flags().iter().all(|flag| own.settings.has_same(&linked.settings, flag));
        same.then(|| Self { linked: linked.clone(), ..self.clone() })
    }

    /// Creates the state of a store for the triggers of the component.
    pub(crate) fn store_context(&self) -> StoreContext {
        let (limits, telemetry) = (self.workload.limits(), self.workload.telemetry());
        StoreContext::new(ByteBudget::with_telemetry(limits.host_memory, telemetry.clone()))
    }
}

/// Connects all components of `plan` concurrently. `arguments` are those of a command. Those of `previous`, which are served now,
/// are the same if nothing of them differs.
///
/// # Errors
///
/// A setting is invalid, or a backend cannot connect.
pub(super) async fn connect(
    parts: Parts<'static>,
    plan: &Plan,
    arguments: &[String],
    loaded_settings: &LoadedSettings,
    around: Surroundings<'_>,
    previous: &[ConnectedComponent],
) -> anyhow::Result<Vec<ConnectedComponent>> {
    let of_previous = |component: &LinkedComponent| {
        previous.iter().find(|previous| previous.linked.loaded.name == component.loaded.name)
    };
    let unchanged = |component: &Arc<LinkedComponent>| {
        of_previous(component).and_then(|previous| previous.unchanged(&parts, component, around.app))
    };
    let app = plan.app.as_ref().map(|app| &*app.declared);
    let linked = Linked { parts, name: &plan.name, app, components: &plan.components };
    check::linked(linked, loaded_settings, |component| unchanged(component).is_some())?;
    let own_files = &OwnFiles::of(&plan.components, loaded_settings)?;
    let connecting = plan.components.iter().map(|component| async move {
        let (name, previous) = (&component.loaded.name, of_previous(component));
        if let Some(same) = unchanged(component) {
            return Ok(same);
        }
        let io = if component.serving.is_empty() && plan.app.is_none() {
            (Io::Process(command_line(&component.path, arguments)), unlimited_time(component.limits.clone()))
        } else {
            (log_io(&component.loaded, &component.limits), component.limits.clone())
        };
        let connected = ConnectedComponent::connect(component, own_files, io, around, previous).await;
        connected.map_err(|error| match plan.declared(name) {
            Some(declared) => in_component(declared, error).into(),
            None => error,
        })
    });
    try_join_all(connecting).await
}

/// Removes the time limits for a command, whose caller does not wait for a response.
fn unlimited_time(limits: Limits) -> Limits {
    let mut limits = limits;
    limits.cpu = UNLIMITED;
    limits.request = UNLIMITED;
    limits.instantiate = UNLIMITED;
    limits
}

fn command_line(path: &Path, arguments: &[String]) -> Vec<String> {
    let program = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments.iter().cloned()).collect()
}

fn log_io(loaded: &Loaded, limits: &Limits) -> Io {
    let component: Arc<str> = loaded.name.as_str().into();
    Io::Log { budget: log_budget(component.clone(), limits), component }
}

/// Returns the function that creates the data of a store of the component `name`.
fn store_data(
    name: &str,
    grants: Grants,
    connected: Arc<[Arc<ConnectedBackend>]>,
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
