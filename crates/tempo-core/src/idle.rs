//! Idle instances, kept for reuse: creating one costs more than most calls do.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempo_telemetry::GaugeGuard;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admission::PermitSlot;
use crate::instance::{CallTarget, FreshStore, ReadyInstance};
use crate::{Permit, Workload};

struct IdleInstance<G> {
    since: Instant,
    instance: ReadyInstance<G>,
    /// A slot among the idle instances of all threads.
    _slot: OwnedSemaphorePermit,
    _gauge: GaugeGuard,
}

/// The idle instances of one thread of a trigger, last in, first out: the memory of the most recent one is still cached.
pub(crate) struct IdleInstances<G> {
    idle: Mutex<Vec<IdleInstance<G>>>,
    capacity: usize,
    /// Slots shared by all threads of all triggers.
    slots: Arc<Semaphore>,
}

impl<G> IdleInstances<G> {
    /// Creates the share of one of `threads` threads in the idle instances that the limits of `workload` allow.
    pub(crate) fn new(workload: &Workload, threads: usize) -> Self {
        let capacity = workload.max_idle().div_ceil(threads.max(1));
        Self { idle: Mutex::new(Vec::new()), capacity, slots: workload.idle_slots().clone() }
    }

    /// Returns an idle instance or a new store for a call with `permit`.
    ///
    /// # Errors
    ///
    /// The data of a new store cannot be created.
    pub(crate) fn acquire(&self, workload: &Workload, permit: Permit) -> wasmtime::Result<CallTarget<G>> {
        let idle = self.lock().pop();
        if let Some(IdleInstance { instance: ready, .. }) = idle {
            ready.metered.meter.reset();
            ready.permit.replace(Some(permit));
            if let Some(instruments) = workload.instruments() {
                instruments.instances_reused.add(1);
            }
            return Ok(CallTarget::Ready(ready));
        }
        Ok(CallTarget::Fresh(FreshStore { metered: workload.store()?, permit: PermitSlot::new(permit) }))
    }

    /// Keeps `ready` after a successful call, or drops it if it must not be reused or all slots are taken.
    pub(crate) fn park(&self, workload: &Workload, mut ready: ReadyInstance<G>) {
        ready.served = ready.served.saturating_add(1);
        let store = &mut ready.metered.store;
        store.data().log_tail.clear();
        if let Some(instruments) = workload.instruments() {
            instruments.memory.record(store.data().limiter.memory() as u64);
        }
        let reuse = workload.limits().reuse(workload.concurrent());
        if ready.served >= reuse || workload.is_retired() || !workload.is_reusable(store) {
            return;
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else { return };
        let mut idle = self.lock();
        if idle.len() < self.capacity {
            let permit = ready.permit.replace(None);
            let gauge = GaugeGuard::new(workload.instruments().map(|instruments| &instruments.instances_idle));
            idle.push(IdleInstance { since: Instant::now(), instance: ready, _slot: slot, _gauge: gauge });
            drop(idle);
            drop(permit);
        }
    }

    /// Drops the instances that have been idle for longer than the limit, or all if the component is replaced.
    pub(crate) fn reap(&self, workload: &Workload) {
        let timeout = if workload.is_retired() { Duration::ZERO } else { workload.limits().idle };
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

impl<G> fmt::Debug for IdleInstances<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = self.lock().len();
        f.debug_struct("IdleInstances").field("idle", &idle).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
