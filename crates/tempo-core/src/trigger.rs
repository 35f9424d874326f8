//! `Trigger`: a server, consumer or timer that calls components.

use std::time::Instant;

use async_trait::async_trait;
use futures::future::try_join_all;
use tempo_settings::{Error, ErrorKind, Flag, Settings};

use crate::{AnyComponent, AppCheck, AppComponent, ComponentOutline, Service, Workload};

/// A source of calls into components, such as an HTTP server or a message consumer.
///
/// A trigger is started only when the component exports one of its [`EXPORTS`](Trigger::EXPORTS). It calls the component
/// through [`Instances`](crate::Instances).
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, Instant};
///
/// use async_trait::async_trait;
/// use tempo_core::{Export, Instance, Instances, NoService, Running, StoreData, Trigger, Workload};
/// use tempo_settings::{Flag, Settings};
/// use tokio::task::JoinHandle;
/// use wasmtime::Store;
/// use wasmtime::component::{InstancePre, TypedFunc};
///
/// /// The exported function `tick: func()`.
/// struct Tick(InstancePre<StoreData>);
///
/// impl Export for Tick {
///     type Guest = TypedFunc<(), ()>;
///     type Request = ();
///     type Response = ();
///
///     async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Self::Guest> {
///         self.0.instantiate_async(&mut *store).await?.get_typed_func(store, "tick")
///     }
///
///     async fn call(&self, instance: Instance<'_, Self::Guest>, (): ()) -> wasmtime::Result<()> {
///         instance.guest.call_async(instance.store, ()).await
///     }
/// }
///
/// /// Calls `tick` again and again.
/// struct Timer;
///
/// const INTERVAL: Flag = Flag::new("tick-interval", "TIME", "Time between two ticks").default("1s");
///
/// #[async_trait]
/// impl Trigger for Timer {
///     type Service = NoService;
///
///     const EXPORTS: &'static [&'static str] = &["tick"];
///
///     fn flags() -> Vec<Flag> {
///         vec![INTERVAL]
///     }
///
///     async fn start(workload: Workload, settings: &Settings, (): ()) -> tempo_settings::Result<Box<dyn Running>> {
///         let interval: Duration = settings.require(&INTERVAL)?;
///         let export = Tick(workload.component().clone());
///         let instances = Arc::new(Instances::new(workload, export, 1));
///         let ticking = tokio::spawn(async move {
///             let mut interval = tokio::time::interval(interval);
///             loop {
///                 interval.tick().await;
///                 let permit = instances.workload().admission().wait().await;
///                 if let Err(error) = instances.run(permit, None, ()).await {
///                     error.log(instances.workload(), "a tick");
///                 }
///                 instances.reap();
///             }
///         });
///         Ok(Box::new(RunningTimer { interval, ticking }))
///     }
/// }
///
/// struct RunningTimer {
///     interval: Duration,
///     ticking: JoinHandle<()>,
/// }
///
/// #[async_trait]
/// impl Running for RunningTimer {
///     fn announcement(&self) -> String {
///         format!("ticking every {:?}", self.interval)
///     }
///
///     async fn failed(&mut self) -> tempo_settings::Error {
///         let _ = (&mut self.ticking).await;
///         tempo_settings::Error::internal("the timer has ended")
///     }
///
///     async fn drain(self: Box<Self>, _deadline: Instant) {
///         self.ticking.abort();
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> wasmtime::Result<()> {
/// # use tempo_backend::ByteBudget;
/// # use tempo_core::{Limits, WasiCtx};
/// # use wasmtime::component::{Component, Linker};
/// # let engine = wasmtime::Engine::default();
/// # let component = Component::new(&engine, wat::parse_str(
/// #     r#"(component
/// #         (core module $m (func (export "tick")))
/// #         (core instance $i (instantiate $m))
/// #         (func (export "tick") (canon lift (core func $i "tick"))))"#,
/// # )?)?;
/// # let limits = Limits::default();
/// # let data = move || Ok(StoreData::new(WasiCtx::default(), &limits, ByteBudget::new(limits.host_memory)));
/// # let workload = Workload::builder("ticker", Linker::new(&engine).instantiate_pre(&component)?, data).build();
/// let running = Timer::start(workload, &Settings::default(), ()).await?;
/// assert_eq!(running.announcement(), "ticking every 1s");
/// running.drain(Instant::now() + Duration::from_secs(25)).await;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a trigger",
    note = "list under `triggers` of `runtime!` only what implements `Trigger`, such as an HTTP server"
)]
#[async_trait]
pub trait Trigger: Send + Sync + 'static {
    /// The service whose resources the calls pass to the component; [`NoService`](crate::NoService) if there is none.
    type Service: Service;

    /// The exported interfaces this trigger calls, without versions: `wasi:http/incoming-handler`.
    const EXPORTS: &'static [&'static str];

    /// The flags this trigger reads. Each is also an environment variable.
    fn flags() -> Vec<Flag>;

    /// Binds, subscribes or schedules, and returns once calls can arrive. `state` is a store's state of the trigger's
    /// service.
    ///
    /// # Errors
    ///
    /// The error names the address or the setting that failed and what to change.
    async fn start(
        workload: Workload,
        settings: &Settings,
        state: <Self::Service as Service>::State,
    ) -> tempo_settings::Result<Box<dyn Running>>;

    /// Checks the settings of an app before its components are compiled, and again when all imports are known. By default, the
    /// trigger calls each component that exports one of its interfaces.
    fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
        let reachable = app.iter().filter(|component| component.exports).map(|component| component.name.to_owned());
        AppCheck { reachable: reachable.collect(), ..AppCheck::default() }
    }

    /// Starts the trigger for an app. `components` are all that have the trigger's service. By default,
    /// [starts](Trigger::start) it once for each component that exports one of its interfaces.
    ///
    /// # Errors
    ///
    /// As [`start`](Trigger::start).
    async fn start_app(components: Vec<AppComponent<Self::Service>>) -> tempo_settings::Result<Vec<Box<dyn Running>>> {
        let exporting = components.into_iter().filter(|component| component.exports);
        try_join_all(exporting.map(|component| async move {
            let AppComponent { workload, settings, state, .. } = component;
            Self::start(workload, &settings, state).await
        }))
        .await
    }
}

/// A started trigger, which owns its tasks and threads.
#[async_trait]
pub trait Running: Send {
    /// Returns one line for the user, such as `listening on http://127.0.0.1:8080`.
    fn announcement(&self) -> String;

    /// Logs notices about the start. A runtime calls it after it has written the announcements of all triggers, so that the
    /// first line is the address.
    fn log_start(&self) {}

    /// Returns an error if the trigger never calls the component as it is configured. A runtime logs it as a warning, and
    /// exits with it if it has no other trigger.
    fn unused(&self) -> Option<Error> {
        None
    }

    /// Resolves with the reason when the trigger has failed; else never.
    async fn failed(&mut self) -> Error;

    /// Stops fetching work that another program can fetch instead, and keeps serving clients. A runtime calls it at the start
    /// of `--shutdown-delay`, before [`drain`](Running::drain).
    fn stop_fetching(&mut self) {}

    /// Prepares to call `components` in place of those that the trigger calls now, without a gap: reads their settings, and
    /// binds and joins what they need. `components` are all that have the trigger's service; those that stay have the same
    /// [`Workload`]. Nothing changes before [`commit`](Running::commit).
    ///
    /// # Errors
    ///
    /// A setting is invalid or cannot change while the trigger runs, or what the components need cannot be bound or joined.
    /// By default, the trigger does not replace its components.
    async fn prepare(&mut self, _components: Vec<AnyComponent>) -> tempo_settings::Result<()> {
        let message = format!("the trigger cannot replace its components while it runs ({})", self.announcement());
        Err(Error::new(ErrorKind::BadConfiguration, message).with_advice("restart the process"))
    }

    /// Calls the components that were [prepared](Running::prepare) from now on. Calls of the previous ones go on: the runtime
    /// [retires](Workload::retire) those. A runtime calls it only after [`prepare`](Running::prepare) succeeded.
    fn commit(&mut self) {}

    /// Drops what was [prepared](Running::prepare), and goes on with the previous components.
    fn roll_back(&mut self) {}

    /// Stops accepting calls and waits for running ones; calls that still run at `deadline` are abandoned.
    async fn drain(self: Box<Self>, deadline: Instant);
}
