//! The service: links the interfaces, and holds the state of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use tempo_settings::DEFAULT_NAME;
use tempo_telemetry::{Operations, Telemetry};
use wasmtime::component::{HasData, Linker, LinkerInstance, Resource, ResourceTable};

use crate::bindings::{tempo_v0_1, wasi_v0_2_draft, wasi_v0_2_draft2, wasmcloud_v0_2};
use crate::{Bucket, Error, ErrorKind, KeyValueCtxBuilder, KeyValueLimits, KeyValueStore, Result, labels};

/// The host service for `wasi:keyvalue`, `wasmcloud:keyvalue` and `tempo:keyvalue`.
#[derive(Clone, Copy, Debug)]
pub struct WasiKeyValue;

/// Per-store state of the service: the buckets, shared by the component's stores, and the byte budget of calls in
/// progress.
#[derive(Clone)]
pub struct KeyValueCtx {
    stores: Backends<dyn KeyValueStore>,
    limits: KeyValueLimits,
    bytes: ByteBudget,
    /// Spans and metrics of each store, if telemetry is on.
    operations: Option<Arc<BTreeMap<String, Arc<Operations>>>>,
}

impl KeyValueCtx {
    /// Returns a builder of a context without stores and with the default limits.
    pub fn builder() -> KeyValueCtxBuilder {
        KeyValueCtxBuilder::new()
    }

    /// Creates a state with `stores`. Uses the limits for hostcall bytes and host memory.
    pub fn new(stores: Backends<dyn KeyValueStore>, limits: &Limits) -> Self {
        let bytes = ByteBudget::new(limits.host_memory);
        Self { stores, limits: KeyValueLimits::new(limits), bytes, operations: None }
    }

    /// Creates the state of another store, with its own budget `bytes`.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        let (stores, operations) = (self.stores.clone(), self.operations.clone());
        Self { stores, limits: self.limits, bytes: bytes.clone(), operations }
    }

    /// Sets other limits.
    pub fn with_limits(self, limits: KeyValueLimits) -> Self {
        Self { limits, ..self }
    }

    /// Records spans and metrics of the guest's operations.
    pub(crate) fn with_telemetry(self, telemetry: &Telemetry) -> Self {
        let operations = |(name, _)| {
            let scheme = self.stores.scheme(name).unwrap_or("_OTHER");
            (name.to_owned(), Arc::new(Operations::new(telemetry, scheme, name)))
        };
        let operations = telemetry.is_on().then(|| Arc::new(self.stores.iter().map(operations).collect()));
        Self { operations, ..self }
    }

    fn operations(&self, name: &str) -> Option<Arc<Operations>> {
        self.operations.as_ref()?.get(name).cloned()
    }

    /// Returns the view for a host call.
    pub fn view<'a>(&'a self, table: &'a mut ResourceTable) -> KeyValueView<'a> {
        KeyValueView { state: self, table }
    }

    pub(crate) fn stores(&self) -> &Backends<dyn KeyValueStore> {
        &self.stores
    }
}

impl fmt::Debug for KeyValueCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.stores.iter().map(|(name, _)| name).collect();
        f.debug_struct("KeyValueCtx").field("stores", &names).field("limits", &self.limits).finish()
    }
}

/// A view of a store's state and resource table for one host call.
#[derive(Debug)]
pub struct KeyValueView<'a> {
    pub(crate) state: &'a KeyValueCtx,
    pub(crate) table: &'a mut ResourceTable,
}

impl KeyValueView<'_> {
    /// Opens the bucket `name`. An empty name is the default: many published components open it, among them wasmCloud's
    /// first example and wasmtime's tests.
    pub(crate) fn open(&mut self, name: &str) -> wasmtime::Result<Result<Resource<Bucket>>> {
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        let Some(store) = self.state.stores.get(name) else {
            return Ok(Err(Error::new(ErrorKind::NoSuchStore, "no store of that name is configured")));
        };
        let bucket = Bucket::new(store.clone(), self.state.limits, self.state.bytes.clone());
        Ok(Ok(self.table.push(bucket.with_operations(self.state.operations(name)))?))
    }

    /// Returns a clone of the bucket, so that nothing is borrowed while a backend works.
    pub(crate) fn bucket(&self, handle: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
        Ok(self.table.get(handle)?.clone())
    }

    pub(crate) fn drop_bucket(&mut self, handle: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl HasData for WasiKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

impl Service for WasiKeyValue {
    const INTERFACES: &'static [&'static str] = &[
        "wasi:keyvalue/store",
        "wasi:keyvalue/atomics",
        "wasi:keyvalue/batch",
        "wasmcloud:keyvalue/types",
        "wasmcloud:keyvalue/store",
        "wasmcloud:keyvalue/atomics",
        "wasmcloud:keyvalue/cas",
        "wasmcloud:keyvalue/batch",
        "tempo:keyvalue/lifetimes",
    ];
    const PACKAGES: &'static [&'static str] = &[
        "wasi:keyvalue@0.2.0-draft",
        "wasi:keyvalue@0.2.0-draft2",
        "wasmcloud:keyvalue@0.2.0",
        "tempo:keyvalue@0.1.0",
    ];
    const CONCURRENT_PACKAGES: &'static [&'static str] = &["wasmcloud:keyvalue@0.2.0", "tempo:keyvalue@0.1.0"];
    const LABELLED: &'static [&'static str] = &["wasi:keyvalue/store", "wasmcloud:keyvalue/store"];

    type State = KeyValueCtx;

    fn view<'a>(state: &'a mut KeyValueCtx, table: &'a mut ResourceTable) -> KeyValueView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        wasi_v0_2_draft::wasi::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
        wasi_v0_2_draft::wasi::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
        wasi_v0_2_draft::wasi::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
        wasi_v0_2_draft2::wasi::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
        wasi_v0_2_draft2::wasi::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
        wasi_v0_2_draft2::wasi::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
        // Engines without concurrency support cannot link async functions.
        if linker.engine().get_concurrency_support() {
            wasmcloud_v0_2::wasmcloud::keyvalue::types::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud_v0_2::wasmcloud::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud_v0_2::wasmcloud::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud_v0_2::wasmcloud::keyvalue::cas::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud_v0_2::wasmcloud::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
            tempo_v0_1::tempo::keyvalue::lifetimes::add_to_linker::<T, Self>(linker, T::provide)?;
        }
        Ok(())
    }

    fn add_label_to_linker<T: Provide<Self>>(
        instance: &mut LinkerInstance<'_, T>,
        interface: &str,
        label: &str,
    ) -> wasmtime::Result<()> {
        labels::add_to_linker(instance, interface, label)
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }

    fn link_label(instance: &mut LinkerInstance<'_, StoreData>, interface: &str, label: &str) -> wasmtime::Result<()> {
        Self::add_label_to_linker(instance, interface, label)
    }
}
