//! Instances that wait for their next request.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempo_core::Instance;
use wasmtime_wasi_http::handler::Proxy;

/// An instance that has served requests and may serve more.
pub(crate) struct Warm<T: 'static> {
    pub(crate) instance: Instance<T>,
    pub(crate) proxy: Proxy,
    /// How many requests it has served.
    pub(crate) served: usize,
}

/// The idle instances of one thread. The one used last is used next, as its memory is still in the caches.
pub(crate) struct Idle<T: 'static> {
    waiting: Mutex<Vec<(Instant, Warm<T>)>>,
    capacity: usize,
}

impl<T> Idle<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { waiting: Mutex::new(Vec::new()), capacity }
    }

    pub(crate) fn take(&self) -> Option<Warm<T>> {
        self.lock().pop().map(|(_, warm)| warm)
    }

    /// Keeps `warm`, unless enough are kept already.
    pub(crate) fn park(&self, warm: Warm<T>) {
        let mut waiting = self.lock();
        if waiting.len() < self.capacity {
            waiting.push((Instant::now(), warm));
        }
    }

    /// Drops those that have waited longer than `age`.
    pub(crate) fn reap(&self, age: Duration) {
        let expired: Vec<_> = {
            let mut waiting = self.lock();
            let fresh = waiting.iter().position(|(since, _)| since.elapsed() < age).unwrap_or(waiting.len());
            waiting.drain(..fresh).collect()
        };
        // Dropped outside the lock: an instance takes a while to tear down.
        drop(expired);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Warm<T>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
