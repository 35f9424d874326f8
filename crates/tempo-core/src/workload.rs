//! A component that is ready to be called: what makes its stores and instances, under the runtime's limits.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime::component::{InstancePre, ResourceTable};
use wasmtime::{Store, UpdateDeadline};

use crate::meter::Tick;
use crate::telemetry::{CallContext, Counted, Telemetry};
use crate::{Admission, Call, Health, Interrupted, Limits, Meter, OpenFiles, Spawn, StoreLimiter};

/// What a runtime says about a component to make a [`Workload`] of it.
pub struct WorkloadBuilder<T: 'static> {
    /// The component's name, as it appears in logs.
    pub name: String,
    /// The component, linked and checked.
    pub component: InstancePre<T>,
    /// Whether the engine supports concurrency: it does for components that use WASI 0.3.
    pub concurrent: bool,
    /// What the component may use.
    pub limits: Limits,
    /// How often the engine's epoch advances.
    pub tick: Duration,
    /// Makes the data of a new store.
    pub data: Box<dyn Fn() -> wasmtime::Result<T> + Send + Sync>,
    /// Finds the store's limiter in its data.
    pub limiter: fn(&mut T) -> &mut StoreLimiter,
    /// Finds the store's resource table in its data.
    pub table: fn(&mut T) -> &mut ResourceTable,
    /// Finds the account of the store's open files in its data.
    pub open_files: fn(&mut T) -> &mut OpenFiles,
    /// Where calls go that compute for long.
    pub background: Spawn,
    /// Where to tell what is done.
    pub telemetry: Telemetry,
    /// Where triggers say that they go on, and why they are not ready.
    pub health: Health,
}

/// A component that is ready to be called. Cheap to clone.
pub struct Workload<T: 'static> {
    inner: Arc<Inner<T>>,
}

struct Inner<T: 'static> {
    builder: WorkloadBuilder<T>,
    admission: Admission,
    idle_places: Arc<Semaphore>,
}

impl<T: 'static> Clone for Workload<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T: Send + 'static> From<WorkloadBuilder<T>> for Workload<T> {
    fn from(builder: WorkloadBuilder<T>) -> Self {
        let admission = Admission::new(&builder.limits, builder.telemetry.clone());
        let idle_places = Arc::new(Semaphore::new(builder.limits.idle_instances()));
        Self { inner: Arc::new(Inner { builder, admission, idle_places }) }
    }
}

/// A store with its meter. The bindings of the instance in it belong to the trigger that calls it.
pub struct Instance<T: 'static> {
    /// The store.
    pub store: Store<T>,
    /// Measures the call that runs in the store.
    pub meter: Arc<Meter>,
    /// Counts the store for as long as it exists.
    _alive: Counted,
}

impl<T: Send + 'static> Workload<T> {
    /// The component's name.
    pub fn name(&self) -> &str {
        &self.inner.builder.name
    }

    /// The component, linked and checked.
    pub fn component(&self) -> &InstancePre<T> {
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
    pub fn store(&self) -> wasmtime::Result<Instance<T>> {
        let workload = &self.inner.builder;
        let limits = &workload.limits;
        let mut store = Store::new(workload.component.engine(), (workload.data)()?);
        let limiter = workload.limiter;
        store.limiter(move |data| limiter(data));
        (workload.table)(store.data_mut()).set_max_capacity(limits.handles);
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
                telemetry.hit("cpu-timeout");
                Err(wasmtime::Error::new(Interrupted::Cpu))
            }
        });
        let alive = Counted::new(&workload.telemetry, |metrics| &metrics.instances_alive);
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
            self.telemetry().hit("instantiate-timeout");
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
            .told_to(self.telemetry().clone())
    }

    /// The linear memory that a store uses, in bytes.
    pub(crate) fn memory(&self, store: &mut Store<T>) -> usize {
        (self.inner.builder.limiter)(store.data_mut()).memory()
    }

    /// Whether an instance that has just served a call may serve another: it must have room left in its limits, so
    /// that what one request leaves behind cannot fail the next.
    pub fn reusable(&self, store: &mut Store<T>) -> bool {
        let workload = &self.inner.builder;
        let memory = (workload.limiter)(store.data_mut()).memory();
        let handles = (workload.table)(store.data_mut()).iter_mut().count();
        let concurrent = store.concurrent_resource_table().map_or(0, |table| table.iter_mut().count());
        let files = (workload.open_files)(store.data_mut()).count();
        memory <= workload.limits.memory / 2
            && files <= workload.limits.open_files / 4
            && handles <= workload.limits.handles / 4
            && concurrent <= workload.limits.handles / 4
    }
}
