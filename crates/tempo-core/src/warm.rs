//! Instances that are kept for their next call, as making one costs more than most calls do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use tempo_telemetry::GaugeGuard;

use crate::{Instance, Meter, Permit, StoreData, Workload};

/// A store without an instance, and the place that it runs in.
pub struct Fresh {
    instance: Instance,
    /// Last, so that it outlives the store: the pool has no more room than there are places.
    permit: Permit,
}

impl Fresh {
    /// The store, to make an instance in. [`Workload::instantiated`] limits the time that this takes.
    pub fn store(&mut self) -> &mut Store<StoreData> {
        &mut self.instance.store
    }

    /// What it becomes once `guest`, the bindings of an instance, has been made in it.
    pub fn with<G>(self, guest: G) -> Warm<G> {
        Warm { instance: self.instance, guest, served: 0, permit: Some(self.permit) }
    }
}

/// A store with an instance in it, whose bindings are a `G`, and the place that it runs in.
pub struct Warm<G> {
    instance: Instance,
    guest: G,
    /// How many calls it has served.
    served: usize,
    /// The place among the calls that run, until the instance is parked. Last, as in [`Fresh`].
    permit: Option<Permit>,
}

impl<G> Warm<G> {
    /// The store with the bindings of its instance, for one call.
    pub fn parts(&mut self) -> (&mut Store<StoreData>, &G) {
        (&mut self.instance.store, &self.guest)
    }
}

/// What a call is to run in.
pub enum CallPlace<G> {
    /// An instance that has served before.
    Warm(Warm<G>),
    /// A store in which an instance is still to be made.
    Fresh(Fresh),
}

impl<G> CallPlace<G> {
    /// What measures the call.
    pub fn meter(&self) -> Arc<Meter> {
        match self {
            Self::Warm(warm) => warm.instance.meter.clone(),
            Self::Fresh(fresh) => fresh.instance.meter.clone(),
        }
    }
}

/// Since when, what, its place among the idle instances of all threads, and that it is counted among them.
type Parked<G> = (Instant, Warm<G>, (OwnedSemaphorePermit, GaugeGuard));

/// The idle instances of one thread of a trigger. The one used last is used next, as its memory is still in the caches.
pub struct Idle<G> {
    workload: Workload,
    waiting: Mutex<Vec<Parked<G>>>,
    capacity: usize,
    /// What all threads of all triggers together may keep.
    places: Arc<Semaphore>,
}

impl<G> Idle<G> {
    /// The share of one of `threads` threads, which together keep as many instances as the limits of `workload` say.
    pub fn new(workload: Workload, threads: usize) -> Self {
        let capacity = workload.limits().idle_instances().div_ceil(threads.max(1));
        let places = workload.idle_places().clone();
        Self { workload, waiting: Mutex::new(Vec::new()), capacity, places }
    }

    /// What a call with `permit` runs in: an idle instance, or a new store.
    ///
    /// # Errors
    ///
    /// The data of a new store cannot be made.
    pub fn place(&self, permit: Permit) -> wasmtime::Result<CallPlace<G>> {
        let idle = self.lock().pop();
        if let Some((_, mut warm, _)) = idle {
            warm.instance.meter.reset();
            warm.permit = Some(permit);
            if let Some(metrics) = self.workload.telemetry().metrics() {
                metrics.instances_reused.add(1);
            }
            return Ok(CallPlace::Warm(warm));
        }
        Ok(CallPlace::Fresh(Fresh { instance: self.workload.store()?, permit }))
    }

    /// Keeps `warm`, which has just served a call that went well, unless it has served long enough or enough are kept.
    pub fn park(&self, mut warm: Warm<G>) {
        warm.served = warm.served.saturating_add(1);
        if let Some(metrics) = self.workload.telemetry().metrics() {
            let memory = self.workload.memory(&mut warm.instance.store);
            metrics.call_memory.record(memory as u64);
        }
        let reuse = self.workload.limits().reuse(self.workload.concurrent());
        if warm.served >= reuse || !self.workload.reusable(&mut warm.instance.store) {
            return;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else { return };
        let mut waiting = self.lock();
        if waiting.len() < self.capacity {
            let permit = warm.permit.take();
            let idle = GaugeGuard::new(self.workload.telemetry(), |metrics| &metrics.instances_idle);
            waiting.push((Instant::now(), warm, (place, idle)));
            drop(waiting);
            drop(permit);
        }
    }

    /// Drops those that have waited longer than the limits say. To be called every second or so.
    pub fn reap(&self) {
        let age = self.workload.limits().idle;
        let expired: Vec<_> = {
            let mut waiting = self.lock();
            let fresh = waiting.iter().position(|(since, _, _)| since.elapsed() < age).unwrap_or(waiting.len());
            waiting.drain(..fresh).collect()
        };
        // Dropped outside the lock: an instance takes a while to tear down.
        drop(expired);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Parked<G>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
