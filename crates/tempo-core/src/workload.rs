//! A component that is ready to be called: what makes its stores and instances, under the runtime's limits.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};
use tempo_telemetry::{CallContext, GaugeGuard, Health, Telemetry};

use crate::meter::Tick;
use crate::{Admission, Call, Interrupted, Limits, Meter, Spawn, StoreData};

/// What a runtime says about a component to make a [`Workload`] of it.
pub struct WorkloadBuilder {
    /// The component's name, as it appears in logs.
    pub name: String,
    /// The component, linked and checked.
    pub component: InstancePre<StoreData>,
    /// Whether the engine supports concurrency: it does for components that use WASI 0.3.
    pub concurrent: bool,
    /// What the component may use.
    pub limits: Limits,
    /// How often the engine's epoch advances.
    pub tick: Duration,
    /// Makes the data of a new store.
    pub data: Box<dyn Fn() -> wasmtime::Result<StoreData> + Send + Sync>,
    /// Where calls go that compute for long.
    pub background: Spawn,
    /// Where to tell what is done.
    pub telemetry: Telemetry,
    /// Where triggers say that they go on, and why they are not ready.
    pub health: Health,
}

/// A component that is ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct Workload {
    inner: Arc<Inner>,
}

struct Inner {
    builder: WorkloadBuilder,
    admission: Admission,
    idle_places: Arc<Semaphore>,
}

impl From<WorkloadBuilder> for Workload {
    fn from(builder: WorkloadBuilder) -> Self {
        let admission = Admission::new(&builder.limits, builder.telemetry.clone());
        let idle_places = Arc::new(Semaphore::new(builder.limits.idle_instances()));
        Self { inner: Arc::new(Inner { builder, admission, idle_places }) }
    }
}

/// A store with its meter. The bindings of the instance in it belong to the trigger that calls it.
pub struct Instance {
    /// The store.
    pub store: Store<StoreData>,
    /// Measures the call that runs in the store.
    pub meter: Arc<Meter>,
    /// Counts the store for as long as it exists.
    _alive: GaugeGuard,
}

impl Workload {
    /// The component's name.
    pub fn name(&self) -> &str {
        &self.inner.builder.name
    }

    /// The component, linked and checked.
    pub fn component(&self) -> &InstancePre<StoreData> {
        &self.inner.builder.component
    }

    /// Whether the component uses WASI 0.3, so that its functions must be called concurrently.
    pub fn concurrent(&self) -> bool {
        self.inner.builder.concurrent
    }

    /// What the component may use.
    pub fn limits(&self) -> &Limits {
        &self.inner.builder.limits
    }

    /// Where to tell what is done.
    pub fn telemetry(&self) -> &Telemetry {
        &self.inner.builder.telemetry
    }

    /// Where to say that a trigger's own threads go on, and why it is not ready.
    pub fn health(&self) -> &Health {
        &self.inner.builder.health
    }

    /// The places to run that all triggers of the component share.
    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// The places of instances that are kept without work: all triggers of the component share them, as the pool has
    /// room for no more.
    pub(crate) fn idle_places(&self) -> &Arc<Semaphore> {
        &self.inner.idle_places
    }

    /// Makes an empty store under the limits. Take a [`Permit`](crate::Permit) first: the pool holds no more stores.
    ///
    /// # Errors
    ///
    /// The store's data cannot be made, for example because a granted directory has gone.
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
        let meter = Arc::new(Meter::new(limits.cpu, workload.tick));
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

    /// Waits for `made`, the making of an instance, for as long as that may take. It comes pinned: the future of a call has
    /// room for it even if no instance is made, and should have no more of it than it needs.
    ///
    /// # Errors
    ///
    /// [`Interrupted::Deadline`] if it takes longer; else what `made` ends with.
    pub async fn instantiated<G>(
        &self,
        made: impl Future<Output = wasmtime::Result<G>> + Unpin,
    ) -> wasmtime::Result<G> {
        let begun = Instant::now();
        let made = tokio::time::timeout(self.limits().instantiate, made).await;
        if let Some(metrics) = self.telemetry().metrics() {
            metrics.instances_created.add(1);
            metrics.instantiate_duration.record(begun.elapsed().as_secs_f64());
        }
        made.map_err(|_| {
            self.telemetry().count_limit_hit("instantiate-timeout");
            wasmtime::Error::new(Interrupted::Deadline)
        })?
    }

    /// Runs `work`, which calls into an instance measured by `meter`, until `deadline` at most. Whatever the guest does
    /// meanwhile belongs to `context`.
    pub fn call<R: Send + 'static>(
        &self,
        meter: Arc<Meter>,
        deadline: Instant,
        context: Option<Arc<CallContext>>,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Call<R> {
        Call::new(Box::pin(work), meter, self.inner.builder.background.clone(), deadline)
            .within(context)
            .with_telemetry(self.telemetry().clone())
    }

    /// The linear memory that a store uses, in bytes.
    pub(crate) fn memory(&self, store: &mut Store<StoreData>) -> usize {
        store.data().limiter.memory()
    }

    /// Whether an instance that has just served a call may serve another: it must have room left in its limits, so
    /// that what one request leaves behind cannot fail the next.
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
