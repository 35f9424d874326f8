//! Instances that wait for their next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempo_core::{Instance, Permit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::handler::Proxy;

/// An instance that has served requests and may serve more.
pub(crate) struct Warm<T: 'static> {
    pub(crate) instance: Instance<T>,
    pub(crate) proxy: Proxy,
    /// How many requests it has served.
    pub(crate) served: usize,
    /// The place among the requests that run, until the instance is parked. Last, so that it outlives the instance: the
    /// pool has no more room than there are places.
    pub(crate) permit: Option<Permit>,
}

/// Since when, what, and its place among the idle instances of all threads.
type Parked<T> = (Instant, Warm<T>, OwnedSemaphorePermit);

/// The idle instances of one thread. The one used last is used next, as its memory is still in the caches.
pub(crate) struct Idle<T: 'static> {
    waiting: Mutex<Vec<Parked<T>>>,
    capacity: usize,
    /// What all threads together may keep.
    places: Arc<Semaphore>,
}

impl<T> Idle<T> {
    pub(crate) fn new(capacity: usize, places: Arc<Semaphore>) -> Self {
        Self { waiting: Mutex::new(Vec::new()), capacity, places }
    }

    pub(crate) fn take(&self) -> Option<Warm<T>> {
        self.lock().pop().map(|(_, warm, _)| warm)
    }

    /// Keeps `warm`, unless enough are kept already.
    pub(crate) fn park(&self, mut warm: Warm<T>) {
        let Ok(place) = self.places.clone().try_acquire_owned() else { return };
        let mut waiting = self.lock();
        if waiting.len() < self.capacity {
            let permit = warm.permit.take();
            waiting.push((Instant::now(), warm, place));
            drop(waiting);
            drop(permit);
        }
    }

    /// Drops those that have waited longer than `age`.
    pub(crate) fn reap(&self, age: Duration) {
        let expired: Vec<_> = {
            let mut waiting = self.lock();
            let fresh = waiting.iter().position(|(since, _, _)| since.elapsed() < age).unwrap_or(waiting.len());
            waiting.drain(..fresh).collect()
        };
        // Dropped outside the lock: an instance takes a while to tear down.
        drop(expired);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Parked<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
