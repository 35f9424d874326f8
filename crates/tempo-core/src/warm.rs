//! Idle instances, kept for reuse: creating one costs more than most calls do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tempo_telemetry::GaugeGuard;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;

use crate::{CpuMeter, Instance, Permit, StoreData, Workload};

/// A store without an instance, and the permit of the call.
pub struct FreshStore {
    instance: Instance,
    /// Declared last, so that it is dropped after the store: the pool has one slot for each permit.
    permit: Permit,
}

impl FreshStore {
    /// Returns the store, to create an instance in it. [`Workload::instantiated`] limits the time that this takes.
    pub fn store(&mut self) -> &mut Store<StoreData> {
        &mut self.instance.store
    }

    /// Adds `guest`, the bindings of the instance that was created in the store.
    pub fn with<G>(self, guest: G) -> WarmInstance<G> {
        WarmInstance { instance: self.instance, guest, served: 0, permit: Some(self.permit) }
    }
}

/// A store with an instance, whose bindings are a `G`, and the permit of the call.
pub struct WarmInstance<G> {
    instance: Instance,
    guest: G,
    /// Number of calls served.
    served: usize,
    /// The permit of the running call; `None` while the instance is parked. Declared last, as in [`FreshStore`].
    permit: Option<Permit>,
}

impl<G> WarmInstance<G> {
    /// Returns the store and the bindings of its instance, for one call.
    pub fn parts(&mut self) -> (&mut Store<StoreData>, &G) {
        (&mut self.instance.store, &self.guest)
    }
}

/// The instance or store that a call runs in.
pub enum CallTarget<G> {
    /// A reused instance.
    Warm(WarmInstance<G>),
    /// A new store, in which the call creates an instance.
    Fresh(FreshStore),
}

impl<G> CallTarget<G> {
    /// Returns the meter of the call.
    pub fn meter(&self) -> Arc<CpuMeter> {
        match self {
            Self::Warm(warm) => warm.instance.meter.clone(),
            Self::Fresh(fresh) => fresh.instance.meter.clone(),
        }
    }
}

struct IdleInstance<G> {
    since: Instant,
    instance: WarmInstance<G>,
    /// A slot among the idle instances of all threads.
    _slot: OwnedSemaphorePermit,
    _gauge: GaugeGuard,
}

/// The idle instances of one thread of a trigger, last in, first out: the memory of the most recent one is still cached.
pub struct IdleInstances<G> {
    workload: Workload,
    idle: Mutex<Vec<IdleInstance<G>>>,
    capacity: usize,
    /// Slots shared by all threads of all triggers.
    slots: Arc<Semaphore>,
}

impl<G> IdleInstances<G> {
    /// Creates the share of one of `threads` threads in the idle instances that the limits of `workload` allow.
    pub fn new(workload: Workload, threads: usize) -> Self {
        let capacity = workload.limits().idle_instances().div_ceil(threads.max(1));
        let slots = workload.idle_slots().clone();
        Self { workload, idle: Mutex::new(Vec::new()), capacity, slots }
    }

    /// Returns an idle instance or a new store for a call with `permit`.
    ///
    /// # Errors
    ///
    /// The data of a new store cannot be created.
    pub fn acquire(&self, permit: Permit) -> wasmtime::Result<CallTarget<G>> {
        let idle = self.lock().pop();
        if let Some(IdleInstance { instance: mut warm, .. }) = idle {
            warm.instance.meter.reset();
            warm.permit = Some(permit);
            if let Some(metrics) = self.workload.telemetry().metrics() {
                metrics.instances_reused.add(1);
            }
            return Ok(CallTarget::Warm(warm));
        }
        Ok(CallTarget::Fresh(FreshStore { instance: self.workload.store()?, permit }))
    }

    /// Keeps `warm` after a successful call, or drops it if it must not be reused or all slots are taken.
    pub fn park(&self, mut warm: WarmInstance<G>) {
        warm.served = warm.served.saturating_add(1);
        if let Some(metrics) = self.workload.telemetry().metrics() {
            let memory = self.workload.memory(&mut warm.instance.store);
            metrics.call_memory.record(memory as u64);
        }
        let reuse = self.workload.limits().reuse(self.workload.concurrent());
        if warm.served >= reuse || !self.workload.reusable(&mut warm.instance.store) {
            return;
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else { return };
        let mut idle = self.lock();
        if idle.len() < self.capacity {
            let permit = warm.permit.take();
            let gauge = GaugeGuard::new(self.workload.telemetry(), |metrics| &metrics.instances_idle);
            idle.push(IdleInstance { since: Instant::now(), instance: warm, _slot: slot, _gauge: gauge });
            drop(idle);
            drop(permit);
        }
    }

    /// Drops instances that have been idle for longer than the limit. To be called about once a second.
    pub fn reap(&self) {
        let timeout = self.workload.limits().idle;
        let expired: Vec<_> = {
            let mut idle = self.lock();
            let count = idle.iter().position(|entry| entry.since.elapsed() < timeout).unwrap_or(idle.len());
            idle.drain(..count).collect()
        };
        // Dropped without the lock: deallocating an instance takes time.
        drop(expired);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<IdleInstance<G>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
