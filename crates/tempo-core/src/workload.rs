//! `Workload`: a linked component. It creates stores under the runtime's limits, and calls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempo_telemetry::{CallContext, GaugeGuard, Health, Telemetry};
use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};

use crate::admission::PermitSlot;
use crate::call::{CallEnvironment, deadline_after};
use crate::failure_log::FailureLog;
use crate::instance::MeteredStore;
use crate::instruments::CallInstruments;
use crate::meter::Tick;
use crate::placement::Placement;
use crate::{Admission, AppAdmission, BackgroundSpawner, Call, CpuMeter, Interrupted, Limits, Retired, StoreData};

type StoreDataFactory = Box<dyn Fn() -> wasmtime::Result<StoreData> + Send + Sync>;

/// Configures a [`Workload`].
#[must_use]
pub struct WorkloadBuilder {
    name: String,
    component: InstancePre<StoreData>,
    data: StoreDataFactory,
    concurrent: bool,
    limits: Limits,
    tick: Duration,
    background: BackgroundSpawner,
    telemetry: Telemetry,
    health: Health,
    app: Option<AppHandle>,
    previous: Option<Workload>,
}

/// The app that a component is part of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AppHandle {
    /// The permits that its components share.
    pub admission: AppAdmission,
    /// The handle for spans and metrics of the process.
    pub telemetry: Telemetry,
    /// Maximum number of idle instances of each component.
    pub idle_instances: usize,
}

impl AppHandle {
    /// Creates the handle of an app.
    pub fn new(admission: AppAdmission, telemetry: Telemetry, idle_instances: usize) -> Self {
        Self { admission, telemetry, idle_instances }
    }
}

impl WorkloadBuilder {
    /// Sets whether the engine supports concurrency, which components of WASI 0.3 need. Default: true.
    pub fn concurrent(mut self, concurrent: bool) -> Self {
        self.concurrent = concurrent;
        self
    }

    /// Sets the component's limits. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the interval at which the embedder advances the engine's epoch. Default: 10 ms.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// Runs calls that compute for longer than a tick with `spawn`. Default: [`tokio::spawn`].
    pub fn background(mut self, spawn: BackgroundSpawner) -> Self {
        self.background = spawn;
        self
    }

    /// Sends the spans and metrics of calls to `telemetry`. Default: off.
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Sends the heartbeats and readiness checks of triggers to `health`.
    pub fn health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Makes the component part of `app`. Default: it is alone in its process.
    pub fn app(mut self, app: AppHandle) -> Self {
        self.app = Some(app);
        self
    }

    /// Makes the component the next version of `previous`, which still runs its last calls. Both share their permits, unless
    /// the limits differ: an engine that both share has one place for each permit.
    pub fn replacing(mut self, previous: &Workload) -> Self {
        self.previous = Some(previous.clone());
        self
    }

    /// Creates the workload.
    #[must_use]
    pub fn build(mut self) -> Workload {
        let mut max_idle = self.limits.idle_instances();
        if let Some(app) = &self.app {
            max_idle = max_idle.min(app.idle_instances);
        }
        let previous = self.previous.take().filter(|previous| previous.has_permits_of(&self));
        let (admission, idle_slots) = match previous {
            Some(previous) => (previous.admission().clone(), previous.idle_slots().clone()),
            None => {
                let admission = Admission::new(&self.limits, self.telemetry.clone());
                let admission = match &self.app {
                    Some(app) => admission.within(&app.admission, &self.limits),
                    None => admission,
                };
                (admission, Arc::new(Semaphore::new(max_idle)))
            }
        };
        let environment = Arc::new(CallEnvironment {
            background: self.background.clone(),
            telemetry: self.telemetry.clone(),
            instruments: self.telemetry.instruments(),
            retirement: Arc::default(),
            placement: self.app.as_ref().map(|_| Placement::default()),
        });
        let failures = FailureLog::new(&self.name, &self.limits);
        Workload { inner: Arc::new(Inner { builder: self, admission, max_idle, idle_slots, environment, failures }) }
    }
}

impl fmt::Debug for WorkloadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadBuilder")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A component that is linked and ready to be called, with its limits. Cheap to clone.
///
/// ```
/// use std::time::Duration;
///
/// use tempo_backend::ByteBudget;
/// use tempo_core::{Limits, StoreData, WasiCtx, Workload};
/// use wasmtime::Engine;
/// use wasmtime::component::{Component, Linker};
///
/// # fn main() -> wasmtime::Result<()> {
/// let engine = Engine::default();
/// let component = Component::new(&engine, wat::parse_str("(component)")?)?;
/// let linked = Linker::new(&engine).instantiate_pre(&component)?;
///
/// let mut limits = Limits::default();
/// limits.memory = 16 << 20;
/// limits.request = Duration::from_secs(5);
/// let of_stores = limits.clone();
/// // Each store gets its own data.
/// let data = move || {
///     let wasi = WasiCtx::builder().env("GREETING", "hello").build();
///     Ok(StoreData::new(wasi, &of_stores, ByteBudget::new(of_stores.host_memory)))
/// };
/// let workload = Workload::builder("greeter", linked, data).limits(limits).build();
/// assert_eq!(workload.name(), "greeter");
/// assert_eq!(workload.admission().free(), workload.limits().requests);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Workload {
    inner: Arc<Inner>,
}

struct Inner {
    builder: WorkloadBuilder,
    admission: Admission,
    max_idle: usize,
    idle_slots: Arc<Semaphore>,
    environment: Arc<CallEnvironment>,
    failures: FailureLog,
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload").field("name", &self.name()).field("limits", self.limits()).finish_non_exhaustive()
    }
}

impl Workload {
    /// Begins the configuration of the component `name`, as it appears in logs. `component` is linked, and `data` creates
    /// the data of each new store.
    pub fn builder(
        name: impl Into<String>,
        component: InstancePre<StoreData>,
        data: impl Fn() -> wasmtime::Result<StoreData> + Send + Sync + 'static,
    ) -> WorkloadBuilder {
        WorkloadBuilder {
            name: name.into(),
            component,
            data: Box::new(data),
            concurrent: true,
            limits: Limits::default(),
            tick: Duration::from_millis(10),
            background: Arc::new(|call| drop(tokio::spawn(call))),
            telemetry: Telemetry::off(),
            health: Health::default(),
            app: None,
            previous: None,
        }
    }

    /// Returns the component's name.
    pub fn name(&self) -> &str {
        &self.inner.builder.name
    }

    /// Returns the component, linked and checked.
    pub fn component(&self) -> &InstancePre<StoreData> {
        &self.inner.builder.component
    }

    /// Returns whether the component uses WASI 0.3, so that its functions must be called concurrently.
    pub fn concurrent(&self) -> bool {
        self.inner.builder.concurrent
    }

    /// Returns the component's limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.builder.limits
    }

    /// Returns the handle for spans and metrics.
    pub fn telemetry(&self) -> &Telemetry {
        &self.inner.builder.telemetry
    }

    /// Returns the instruments of the component's calls, or `None` if metrics are disabled.
    pub(crate) fn instruments(&self) -> Option<&Arc<CallInstruments>> {
        self.inner.environment.instruments.as_ref()
    }

    /// Returns the handle for heartbeats of a trigger's threads and its readiness checks.
    pub fn health(&self) -> &Health {
        &self.inner.builder.health
    }

    /// Returns the admission control that all triggers of the component share.
    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// Returns the app that the component is part of.
    pub fn app(&self) -> Option<&AppHandle> {
        self.inner.builder.app.as_ref()
    }

    /// Returns whether the two are clones of one workload.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Ends the use of the component: no instance is kept from now on, and the triggers begin no more calls. Those that run
    /// go on.
    pub fn retire(&self) -> Retired {
        self.inner.environment.retirement.retire();
        Retired(self.inner.environment.retirement.clone())
    }

    /// Returns whether the component is [retired](Self::retire).
    pub(crate) fn is_retired(&self) -> bool {
        self.inner.environment.retirement.is_retired()
    }

    /// Returns whether the permits of the workload that `next` creates are the same as those of this one.
    fn has_permits_of(&self, next: &WorkloadBuilder) -> bool {
        let apps = |app: &AppHandle, next: &AppHandle| app.admission.is_same(&next.admission);
        let same_app = match (self.app(), &next.app) {
            (Some(app), Some(next)) => apps(app, next),
            (None, None) => true,
            _ => false,
        };
        same_app && *self.limits() == next.limits
    }

    /// Returns whether the host may log another line about a failed call of the component. It counts and reports the others.
    pub fn admit_failure_line(&self) -> bool {
        self.inner.failures.admit_line()
    }

    /// Returns the rate limits on lines about failed calls.
    pub(crate) fn failures(&self) -> &FailureLog {
        &self.inner.failures
    }

    /// Returns the maximum number of idle instances of all triggers together.
    pub(crate) fn max_idle(&self) -> usize {
        self.inner.max_idle
    }

    /// Returns the slots for idle instances. All triggers of the component share them, because the pool is sized by them.
    pub(crate) fn idle_slots(&self) -> &Arc<Semaphore> {
        &self.inner.idle_slots
    }

    /// Returns the deadline of a call that begins now.
    pub fn deadline(&self) -> Instant {
        deadline_after(self.limits().request)
    }

    /// Creates an empty store under the limits. The caller has a [`Permit`](crate::Permit): the pool has one slot for each.
    ///
    /// # Errors
    ///
    /// The store's data cannot be created, for example because a granted directory no longer exists.
    pub(crate) fn store(&self) -> wasmtime::Result<MeteredStore> {
        let workload = &self.inner.builder;
        let limits = &workload.limits;
        let mut store = Store::new(workload.component.engine(), (workload.data)()?);
        store.limiter(|data| &mut data.limiter);
        store.data_mut().table.set_max_capacity(limits.handles);
        store.set_max_component_handles(limits.handles);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(limits.handles);
        }
        store.set_hostcall_fuel(limits.hostcall_bytes);
        let meter = Arc::new(CpuMeter::new(limits.cpu, workload.tick));
        let metered = meter.clone();
        let telemetry = workload.telemetry.clone();
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match metered.tick() {
            Tick::Continue => Ok(UpdateDeadline::Continue(1)),
            Tick::Yield => Ok(UpdateDeadline::Yield(1)),
            Tick::Exhausted => {
                telemetry.count_limit_hit("cpu-timeout");
                Err(wasmtime::Error::new(Interrupted::Cpu))
            }
        });
        let alive = GaugeGuard::new(self.instruments().map(|instruments| &instruments.instances_alive));
        Ok(MeteredStore { store, meter, _alive: alive })
    }

    /// Awaits `instantiation` within the instantiation timeout. `instantiation` is `Unpin`, so that callers pass a pinned
    /// reference: the future of a call, which contains it even if no instance is created, stays small.
    ///
    /// # Errors
    ///
    /// [`Interrupted::Deadline`] after the timeout, or the error of `instantiation`.
    pub(crate) async fn instantiated<G>(
        &self,
        instantiation: impl Future<Output = wasmtime::Result<G>> + Unpin,
    ) -> wasmtime::Result<G> {
        let begun = Instant::now();
        let instance = tokio::time::timeout(self.limits().instantiate, instantiation).await;
        if let Some(instruments) = self.instruments() {
            instruments.instances_created.add(1);
            instruments.instantiate_duration.record(begun.elapsed().as_secs_f64());
        }
        instance.map_err(|_| {
            self.telemetry().count_limit_hit("instantiate-timeout");
            wasmtime::Error::new(Interrupted::Deadline)
        })?
    }

    /// Creates a call: runs `work`, which calls into an instance with `meter` and `permit`, until `deadline`, with `context` as
    /// the current one.
    pub(crate) fn call<R: Send + 'static>(
        &self,
        (meter, permit): (Arc<CpuMeter>, PermitSlot),
        deadline: Instant,
        context: Option<Arc<CallContext>>,
        work: Pin<Box<dyn Future<Output = R> + Send>>,
    ) -> Call<R> {
        Call::new(work, (meter, permit), self.inner.environment.clone(), deadline).with_context(context)
    }

    /// Returns whether an instance may serve another call: it must be well below its limits, so that the leftovers of one
    /// request cannot fail the next.
    pub(crate) fn is_reusable(&self, store: &mut Store<StoreData>) -> bool {
        let workload = &self.inner.builder;
        let memory = store.data().limiter.memory();
        let handles = store.data_mut().table.iter_mut().count();
        let concurrent = store.concurrent_resource_table().map_or(0, |table| table.iter_mut().count());
        let files = store.data_mut().open_files.count();
        memory <= workload.limits.memory / 2
            && files <= workload.limits.open_files / 4
            && handles <= workload.limits.handles / 4
            && concurrent <= workload.limits.handles / 4
    }
}
