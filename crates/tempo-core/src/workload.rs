//! `Workload`: a linked component. It creates stores under the runtime's limits, and calls.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempo_telemetry::{CallContext, GaugeGuard, Health, Telemetry};
use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};

use crate::meter::Tick;
use crate::{Admission, BackgroundSpawner, Call, CpuMeter, Interrupted, Limits, StoreData};

/// The parts of a [`Workload`].
pub struct WorkloadBuilder {
    /// The component's name, as it appears in logs.
    pub name: String,
    /// The component, linked and checked.
    pub component: InstancePre<StoreData>,
    /// Whether the engine supports concurrency, which components of WASI 0.3 need.
    pub concurrent: bool,
    /// The component's limits.
    pub limits: Limits,
    /// Interval of the engine's epoch.
    pub tick: Duration,
    /// Creates the data of a new store.
    pub data: Box<dyn Fn() -> wasmtime::Result<StoreData> + Send + Sync>,
    /// Runs calls that compute for longer than a tick.
    pub background: BackgroundSpawner,
    /// Receives the spans and metrics of calls.
    pub telemetry: Telemetry,
    /// Receives the heartbeats and readiness checks of triggers.
    pub health: Health,
}

/// A linked component. Cheap to clone.
#[derive(Clone)]
pub struct Workload {
    inner: Arc<Inner>,
}

struct Inner {
    builder: WorkloadBuilder,
    admission: Admission,
    idle_slots: Arc<Semaphore>,
}

impl From<WorkloadBuilder> for Workload {
    fn from(builder: WorkloadBuilder) -> Self {
        let admission = Admission::new(&builder.limits, builder.telemetry.clone());
        let idle_slots = Arc::new(Semaphore::new(builder.limits.idle_instances()));
        Self { inner: Arc::new(Inner { builder, admission, idle_slots }) }
    }
}

/// A store with its meter. The trigger that calls it holds the bindings of its instance.
pub struct Instance {
    /// The store.
    pub store: Store<StoreData>,
    /// Measures the call that runs in the store.
    pub meter: Arc<CpuMeter>,
    /// Counts the store while it exists.
    _alive: GaugeGuard,
}

impl Workload {
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

    /// Returns the handle for heartbeats of a trigger's threads and its readiness checks.
    pub fn health(&self) -> &Health {
        &self.inner.builder.health
    }

    /// Returns the admission control that all triggers of the component share.
    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// Returns the slots for idle instances. All triggers of the component share them, because the pool is sized by them.
    pub(crate) fn idle_slots(&self) -> &Arc<Semaphore> {
        &self.inner.idle_slots
    }

    /// Creates an empty store under the limits. Acquire a [`Permit`](crate::Permit) first: the pool has one slot for each.
    ///
    /// # Errors
    ///
    /// The store's data cannot be created, for example because a granted directory no longer exists.
    pub fn store(&self) -> wasmtime::Result<Instance> {
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
        let alive = GaugeGuard::new(&workload.telemetry, |metrics| &metrics.instances_alive);
        Ok(Instance { store, meter, _alive: alive })
    }

    /// Awaits `instantiation` within the instantiation timeout. `instantiation` is `Unpin`, so that callers pass a boxed
    /// future: the future of a call, which contains it even if no instance is created, stays small.
    ///
    /// # Errors
    ///
    /// [`Interrupted::Deadline`] after the timeout, or the error of `instantiation`.
    pub async fn instantiated<G>(
        &self,
        instantiation: impl Future<Output = wasmtime::Result<G>> + Unpin,
    ) -> wasmtime::Result<G> {
        let begun = Instant::now();
        let instance = tokio::time::timeout(self.limits().instantiate, instantiation).await;
        if let Some(metrics) = self.telemetry().metrics() {
            metrics.instances_created.add(1);
            metrics.instantiate_duration.record(begun.elapsed().as_secs_f64());
        }
        instance.map_err(|_| {
            self.telemetry().count_limit_hit("instantiate-timeout");
            wasmtime::Error::new(Interrupted::Deadline)
        })?
    }

    /// Creates a call: runs `work`, which calls into an instance measured by `meter`, until `deadline`, with `context` as the
    /// current one.
    pub fn call<R: Send + 'static>(
        &self,
        meter: Arc<CpuMeter>,
        deadline: Instant,
        context: Option<Arc<CallContext>>,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Call<R> {
        Call::new(Box::pin(work), meter, self.inner.builder.background.clone(), deadline)
            .with_context(context)
            .with_telemetry(self.telemetry().clone())
    }

    /// Returns the linear memory that a store uses, in bytes.
    pub(crate) fn memory(&self, store: &mut Store<StoreData>) -> usize {
        store.data().limiter.memory()
    }

    /// Returns whether an instance may serve another call: it must be well below its limits, so that the leftovers of one
    /// request cannot fail the next.
    pub fn reusable(&self, store: &mut Store<StoreData>) -> bool {
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
