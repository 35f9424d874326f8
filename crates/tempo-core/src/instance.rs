//! The stores and instances in which calls run.

use std::fmt;
use std::sync::Arc;

use tempo_telemetry::GaugeGuard;
use wasmtime::Store;

use crate::admission::PermitSlot;
use crate::{CpuMeter, StoreData};

/// An instance during a call.
#[non_exhaustive]
pub struct Instance<'a, G> {
    /// The store of the instance.
    pub store: &'a mut Store<StoreData>,
    /// The bindings of the instance.
    pub guest: &'a G,
    /// Measures the processor time of the call.
    pub meter: &'a CpuMeter,
}

impl<G> fmt::Debug for Instance<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("meter", self.meter).finish_non_exhaustive()
    }
}

/// A store with its meter.
pub(crate) struct MeteredStore {
    pub(crate) store: Store<StoreData>,
    /// Measures the call that runs in the store.
    pub(crate) meter: Arc<CpuMeter>,
    /// Counts the store while it exists.
    pub(crate) _alive: GaugeGuard,
}

/// A store without an instance, and the permit of the call.
pub(crate) struct FreshStore {
    pub(crate) metered: MeteredStore,
    /// Declared last, so that it is dropped after the store: the pool has one slot for each permit.
    pub(crate) permit: PermitSlot,
}

impl FreshStore {
    /// Adds `guest`, the bindings of the instance that was created in the store.
    pub(crate) fn with<G>(self, guest: G) -> ReadyInstance<G> {
        ReadyInstance { metered: self.metered, guest, served: 0, permit: self.permit }
    }
}

/// A store with an instance, whose bindings are a `G`, and the permit of the call.
pub(crate) struct ReadyInstance<G> {
    pub(crate) metered: MeteredStore,
    pub(crate) guest: G,
    /// Number of calls served.
    pub(crate) served: usize,
    /// The permit of the running call; empty while the instance is idle. Declared last, as in [`FreshStore`].
    pub(crate) permit: PermitSlot,
}

impl<G> ReadyInstance<G> {
    /// Returns the instance for one call.
    pub(crate) fn instance(&mut self) -> Instance<'_, G> {
        Instance { store: &mut self.metered.store, guest: &self.guest, meter: &self.metered.meter }
    }
}

/// The instance or store that a call runs in.
pub(crate) enum CallTarget<G> {
    /// A reused instance.
    Ready(ReadyInstance<G>),
    /// A new store, in which the call creates an instance.
    Fresh(FreshStore),
}

impl<G> CallTarget<G> {
    /// Returns the meter of the call.
    pub(crate) fn meter(&self) -> Arc<CpuMeter> {
        match self {
            Self::Ready(ready) => ready.metered.meter.clone(),
            Self::Fresh(fresh) => fresh.metered.meter.clone(),
        }
    }

    /// Returns the slot with the permit of the call.
    pub(crate) fn permit(&self) -> PermitSlot {
        match self {
            Self::Ready(ready) => ready.permit.clone(),
            Self::Fresh(fresh) => fresh.permit.clone(),
        }
    }
}
