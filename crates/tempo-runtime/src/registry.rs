//! The services, triggers and tools of a runtime, with their types erased.

use std::any::TypeId;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use tempo_backend::LabelledImport;
use tempo_core::{
    AnyComponent, AppCheck, Backend, BootContext, ComponentOutline, NoService, Running, Service, ServiceState,
    StoreContext, StoreData, Trigger, Workload,
};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
#[cfg(feature = "tools")]
use tempo_tool::Tool;
use wasmtime::component::{Linker, LinkerInstance};

use crate::interfaces::{Import, is_compatible};

type BoxFuture<'a, R, E = Error> = Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'a>>;

type StartApp = fn(Vec<AnyComponent>) -> BoxFuture<'static, Vec<Box<dyn Running>>>;

type StartTrigger = for<'a> fn(Workload, &'a Settings, ServiceState) -> BoxFuture<'a, Box<dyn Running>>;

type RunTool =
    for<'a> fn(&'a ArgMatches, ToolSettings<'a>, &'a mut (dyn Write + Send)) -> BoxFuture<'a, (), anyhow::Error>;

type LinkLabel = fn(&mut LinkerInstance<'_, StoreData>, &str, &str) -> wasmtime::Result<()>;

/// The settings that a tool runs with.
#[derive(Clone, Copy)]
pub(crate) enum ToolSettings<'a> {
    /// Those of the process.
    Process(&'a Settings),
    /// Those of the components of an app, by name.
    App(&'a [(String, Settings)]),
}

/// A connected backend.
pub(crate) struct ConnectedBackend {
    /// The type of the service.
    pub service: TypeId,
    /// Creates the service's state of a store with this budget.
    pub state: Box<dyn Fn(&StoreContext) -> ServiceState + Send + Sync>,
    /// The backend's line for the user.
    pub announcement: Option<String>,
}

/// A service that the runtime offers.
pub(crate) struct ServiceEntry {
    /// The type of the service.
    pub id: TypeId,
    /// The name of the service's type: `WasiConfig`.
    pub name: &'static str,
    /// Its interfaces, without versions.
    pub interfaces: &'static [&'static str],
    /// Its packages, with versions.
    pub packages: &'static [&'static str],
    /// Those of its packages that are linked only with concurrency support.
    pub concurrent_packages: &'static [&'static str],
    /// Those of its interfaces that a component may import under labels.
    pub labelled: &'static [&'static str],
    /// The flags of its backend.
    pub flags: Vec<Flag>,
    /// Adds it to a linker.
    pub link: fn(&mut Linker<StoreData>) -> wasmtime::Result<()>,
    /// Adds an interface to the instance of a label.
    pub link_label: LinkLabel,
    /// Checks the settings of its backend.
    pub check: fn(BootContext<'_>) -> Vec<Error>,
    /// Connects its backend.
    pub connect: for<'a> fn(BootContext<'a>) -> BoxFuture<'a, ConnectedBackend>,
}

impl ServiceEntry {
    /// Creates the entry of service `S` with backend `B`.
    pub(crate) fn of<S: Service, B: Backend<S>>() -> Self {
        Self {
            id: TypeId::of::<S>(),
            name: short_name::<S>(),
            interfaces: S::INTERFACES,
            packages: S::PACKAGES,
            concurrent_packages: S::CONCURRENT_PACKAGES,
            labelled: S::LABELLED,
            flags: B::flags(),
            link: S::link,
            link_label: S::link_label,
            check: B::check,
            connect: |boot| {
                Box::pin(async move {
                    let backend = B::connect(boot).await?;
                    let announcement = backend.announcement();
                    let state = move |store: &StoreContext| ServiceState::new::<S>(backend.state(store));
                    Ok(ConnectedBackend { service: TypeId::of::<S>(), state: Box::new(state), announcement })
                })
            },
        }
    }

    /// Returns whether the service offers `import` in any version. Decides both linking and connecting.
    pub(crate) fn offers(&self, import: &str) -> bool {
        self.interfaces.contains(&unversioned(import))
    }

    /// Returns the name of the interface of `import`, with the version that the service offers, if it may have a label.
    pub(crate) fn offers_labelled(&self, import: &Import) -> Option<String> {
        let path = unversioned(import.interface());
        let package = self.packages.iter().find(|package| is_compatible(import.interface(), package));
        let (_, version) = package.filter(|_| self.labelled.contains(&path))?.split_once('@')?;
        Some(format!("{path}@{version}"))
    }

    /// Returns those of `imports` that are stores of the service.
    pub(crate) fn labels(&self, imports: &[Import]) -> Vec<LabelledImport> {
        let imports = imports.iter().filter(|import| self.labelled.contains(&unversioned(import.interface())));
        imports.filter_map(Import::labelled).collect()
    }
}

/// A trigger that the runtime offers.
pub(crate) struct TriggerEntry {
    /// The name of the trigger's type: `HttpServer`.
    pub name: &'static str,
    /// The interfaces it calls, without versions.
    pub exports: &'static [&'static str],
    /// The type of the service that its calls need.
    pub service: TypeId,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Starts it.
    pub start: StartTrigger,
    /// Checks the settings of an app.
    pub check: fn(&[ComponentOutline<'_>]) -> AppCheck,
    /// Starts it for an app.
    pub start_app: StartApp,
}

impl TriggerEntry {
    /// Creates the entry of trigger `R`.
    pub(crate) fn of<R: Trigger>() -> Self {
        Self {
            name: short_name::<R>(),
            exports: R::EXPORTS,
            service: TypeId::of::<R::Service>(),
            flags: R::flags(),
            start: |workload, settings, state| match state.into_inner::<R::Service>() {
                Some(state) => R::start(workload, settings, state),
                None => Box::pin(async { Err(without_service::<R>()) }),
            },
            check: R::check,
            start_app: |components| {
                let typed: Result<Vec<_>, _> = components.into_iter().map(AnyComponent::downcast).collect();
                Box::pin(async move { R::start_app(typed?).await })
            },
        }
    }

    /// Returns whether a component with these `backends` has the trigger's service.
    pub(crate) fn is_served(&self, backends: &[Arc<ConnectedBackend>]) -> bool {
        self.service == TypeId::of::<NoService>() || backends.iter().any(|backend| backend.service == self.service)
    }

    /// Returns whether the trigger calls `export` in any version.
    pub(crate) fn calls(&self, export: &str) -> bool {
        self.exports.contains(&unversioned(export))
    }
}

/// A tool that the runtime has.
pub(crate) struct ToolEntry {
    /// Its command, without its flags.
    pub command: Command,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Runs it.
    pub run: RunTool,
}

#[cfg(feature = "tools")]
impl ToolEntry {
    /// Creates the entry of tool `X`.
    pub(crate) fn of<X: Tool>() -> Self {
        Self {
            command: X::command(),
            flags: X::flags(),
            run: |matches, settings, output| match settings {
                ToolSettings::Process(settings) => Box::pin(X::run(matches, settings, output)),
                ToolSettings::App(components) => Box::pin(X::run_app(matches, components, output)),
            },
        }
    }
}

/// Creates the state of the trigger's service, from one of the `connected` backends.
pub(crate) fn trigger_state(
    trigger: &TriggerEntry,
    connected: &[Arc<ConnectedBackend>],
    store: &StoreContext,
) -> ServiceState {
    let service = connected.iter().find(|connected| connected.service == trigger.service);
    service.map_or_else(|| ServiceState::new::<NoService>(()), |service| (service.state)(store))
}

fn without_service<R: Trigger>() -> Error {
    let message =
        format!("{} needs the service {}, which this runtime lacks", short_name::<R>(), short_name::<R::Service>());
    Error::new(ErrorKind::BadConfiguration, message)
}

/// Returns an interface such as `wasi:http/types@0.2.3` without its version.
pub(crate) fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}
