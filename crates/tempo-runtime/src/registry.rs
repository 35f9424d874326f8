//! The services, triggers and tools of a runtime, with their types erased.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;

use tempo_core::{Asked, Backend, Boot, Flag, Running, Service, Settings, Tool, ToolAction, Trigger, Workload};
use wasmtime::component::Linker;

use crate::store_data::Carry;

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = anyhow::Result<R>> + Send + 'a>>;

type Start<T> = for<'a> fn(Workload<T>, &'a Settings) -> BoxFuture<'a, Box<dyn Running>>;

type RunTool = for<'a> fn(&'a Asked, &'a Settings, &'a mut (dyn Write + Send)) -> BoxFuture<'a, ()>;

/// A backend that is connected.
pub struct Connected<T> {
    /// Puts one store's share of the service into the store's data.
    pub equip: Box<dyn Fn(&mut T) + Send + Sync>,
    /// What the user should know of it.
    pub announcement: Option<String>,
}

/// A service that the runtime offers.
pub struct ServiceEntry<T: 'static> {
    /// The name of the service's type: `WasiConfig`.
    pub name: &'static str,
    /// Its interfaces, without versions.
    pub interfaces: &'static [&'static str],
    /// Its packages, with versions.
    pub packages: &'static [&'static str],
    /// Those of its packages that are linked with concurrency support only.
    pub concurrent_packages: &'static [&'static str],
    /// The flags of its backend.
    pub flags: Vec<Flag>,
    /// Adds it to a linker.
    pub link: fn(&mut Linker<T>) -> wasmtime::Result<()>,
    /// Connects its backend.
    pub connect: for<'a> fn(Boot<'a>) -> BoxFuture<'a, Connected<T>>,
}

impl<T: 'static> ServiceEntry<T> {
    /// The entry of service `S`.
    pub fn of<S: Service + 'static>() -> Self
    where
        T: Carry<S>,
    {
        Self {
            name: short_name::<S>(),
            interfaces: S::INTERFACES,
            packages: S::PACKAGES,
            concurrent_packages: S::CONCURRENT_PACKAGES,
            flags: T::Backend::flags(),
            link: S::add_to_linker::<T>,
            connect: |boot| {
                Box::pin(async move {
                    let backend = T::Backend::connect(boot).await?;
                    let announcement = backend.announcement();
                    let equip = move |data: &mut T| {
                        let bytes = data.base().bytes.clone();
                        data.slot().fill(&backend, &bytes);
                    };
                    Ok(Connected { equip: Box::new(equip), announcement })
                })
            },
        }
    }

    /// Whether the service offers `import`, whatever its version. Decides both linking and connecting.
    pub fn offers(&self, import: &str) -> bool {
        self.interfaces.contains(&unversioned(import))
    }
}

/// A trigger that the runtime offers.
pub struct TriggerEntry<T: 'static> {
    /// The name of the trigger's type: `HttpServer`.
    pub name: &'static str,
    /// The interfaces it calls, without versions.
    pub exports: &'static [&'static str],
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Starts it.
    pub start: Start<T>,
}

impl<T: 'static> TriggerEntry<T> {
    /// The entry of trigger `R`.
    pub fn of<R: Trigger<T>>() -> Self {
        Self {
            name: short_name::<R>(),
            exports: R::EXPORTS,
            flags: R::flags(),
            start: |workload, settings| Box::pin(R::start(workload, settings)),
        }
    }

    /// Whether the trigger calls `export`, whatever its version.
    pub fn calls(&self, export: &str) -> bool {
        self.exports.contains(&unversioned(export))
    }
}

/// A tool that the runtime has.
pub struct ToolEntry {
    /// Its command.
    pub name: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// What it can do.
    pub actions: &'static [ToolAction],
    /// Its flags.
    pub flags: Vec<Flag>,
    /// Runs it.
    pub run: RunTool,
}

impl ToolEntry {
    /// The entry of tool `X`.
    pub fn of<X: Tool>() -> Self {
        Self {
            name: X::NAME,
            about: X::ABOUT,
            actions: X::ACTIONS,
            flags: X::flags(),
            run: |asked, settings, output| Box::pin(X::run(asked, settings, output)),
        }
    }
}

/// `wasi:http/types@0.2.3` without its version.
pub fn unversioned(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}
