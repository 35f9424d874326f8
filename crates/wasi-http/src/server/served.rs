//! `Served`: the components of one serving thread with their settings, which a reload of the settings replaces as a whole.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tempo_core::Admission;
use tempo_telemetry::Telemetry;

use super::config::Config;
use super::metrics::RequestMetrics;
use super::tls::Tls;
use super::worker::Worker;
use super::workers::Workers;

/// The components of one serving thread, and the settings of the server.
pub(crate) struct Served {
    pub(crate) workers: Workers,
    pub(crate) config: Arc<Config>,
    pub(crate) tls: Option<Tls>,
    /// The permits of the first component, which tell whether the process is busy.
    pub(crate) admission: Admission,
    /// Time a request waits for room in the backlog.
    pub(crate) queue_wait: Duration,
    /// The handle for spans and metrics of the process.
    pub(crate) telemetry: Telemetry,
    /// Those of requests that no component gets.
    pub(crate) metrics: Arc<RequestMetrics>,
}

/// What a thread serves now. Requests that run keep the component that they began with.
pub(crate) struct CurrentlyServed {
    current: ArcSwap<Served>,
    /// The replaced components that still run requests.
    replaced: Mutex<Vec<Weak<Worker>>>,
}

impl CurrentlyServed {
    pub(crate) fn new(served: Served) -> Self {
        Self { current: ArcSwap::from_pointee(served), replaced: Mutex::default() }
    }

    /// Returns what is served now.
    pub(crate) fn get(&self) -> Arc<Served> {
        self.current.load_full()
    }

    /// Serves `next` from now on.
    pub(crate) fn replace(&self, next: &Arc<Served>) {
        let previous = self.current.swap(next.clone());
        let remains = |worker: &&Arc<Worker>| next.workers.all().iter().any(|other| Arc::ptr_eq(worker, other));
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.retain(|worker| worker.strong_count() > 0);
        let gone = previous.workers.all().iter().filter(|worker| !remains(worker));
        replaced.extend(gone.map(Arc::downgrade));
        drop(replaced);
        // Drops the idle instances of those that are retired.
        previous.workers.all().iter().for_each(|worker| worker.maintain());
    }

    /// Returns the component `name`, or the one that was replaced by none: a request that began before may be on its way to it.
    pub(crate) fn component(&self, name: &str) -> Option<Arc<Worker>> {
        self.get().workers.named(name).cloned().or_else(|| {
            let replaced = self.replaced();
            replaced.into_iter().rev().find(|worker| worker.workload().name() == name)
        })
    }

    /// Ends stalled responses and drops expired idle instances.
    pub(crate) fn maintain(&self) {
        self.get().workers.all().iter().for_each(|worker| worker.maintain());
        self.replaced().iter().for_each(|worker| worker.maintain());
    }

    fn replaced(&self) -> Vec<Arc<Worker>> {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.iter().filter_map(Weak::upgrade).collect()
    }
}
