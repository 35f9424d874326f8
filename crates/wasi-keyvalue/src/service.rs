//! The service: links the interfaces, and holds the state of a store.

use std::fmt;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use tempo_settings::DEFAULT_NAME;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::bindings::{draft, draft2, wasmcloud};
use crate::failure::{Failure, no_such_store};
use crate::{Bucket, KeyValueLimits, KeyValueStore};

/// The host service for `wasi:keyvalue` and `wasmcloud:keyvalue`.
#[derive(Clone, Copy, Debug)]
pub struct WasiKeyValue;

/// Per-store state of the service: the buckets, shared by the component's stores, and the byte budget of calls in
/// progress.
#[derive(Clone)]
pub struct KeyValueCtx {
    stores: Backends<dyn KeyValueStore>,
    limits: KeyValueLimits,
    bytes: ByteBudget,
}

impl KeyValueCtx {
    /// Creates a state with `stores`. Uses the limits for hostcall bytes and host memory.
    pub fn new(stores: Backends<dyn KeyValueStore>, limits: &Limits) -> Self {
        Self { stores, limits: KeyValueLimits::new(limits), bytes: ByteBudget::new(limits.host_memory) }
    }

    /// Creates the state of another store, with its own budget `bytes`.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        Self { stores: self.stores.clone(), limits: self.limits, bytes: bytes.clone() }
    }

    /// Sets other limits.
    pub fn with_limits(self, limits: KeyValueLimits) -> Self {
        Self { limits, ..self }
    }

    /// Returns the view for a host call.
    pub fn view<'a>(&'a self, table: &'a mut ResourceTable) -> KeyValueView<'a> {
        KeyValueView { state: self, table }
    }

    pub(crate) fn stores(&self) -> &Backends<dyn KeyValueStore> {
        &self.stores
    }

    pub(crate) fn limits(&self) -> KeyValueLimits {
        self.limits
    }

    pub(crate) fn bytes(&self) -> &ByteBudget {
        &self.bytes
    }
}

impl fmt::Debug for KeyValueCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.stores.iter().map(|(name, _)| name).collect();
        f.debug_struct("KeyValueCtx").field("stores", &names).field("limits", &self.limits).finish()
    }
}

/// A view of a store's state and resource table for one host call.
pub struct KeyValueView<'a> {
    pub(crate) state: &'a KeyValueCtx,
    pub(crate) table: &'a mut ResourceTable,
}

impl KeyValueView<'_> {
    /// Opens the bucket `name`. An empty name is the default: many published components open it, among them wasmCloud's
    /// first example and wasmtime's tests.
    pub(crate) fn open(&mut self, name: &str) -> Result<Resource<Bucket>, Failure> {
        let name = if name.is_empty() { DEFAULT_NAME } else { name };
        let store = self.state.stores.get(name).ok_or_else(no_such_store)?.clone();
        self.push(Bucket::new(store, self.state.limits, self.state.bytes.clone()))
    }

    pub(crate) fn push<R: Send + 'static>(&mut self, resource: R) -> Result<Resource<R>, Failure> {
        Ok(self.table.push(resource)?)
    }

    /// Returns a clone of the bucket, so that nothing is borrowed while a backend works.
    pub(crate) fn bucket(&self, handle: &Resource<Bucket>) -> Result<Bucket, Failure> {
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
    ];
    const PACKAGES: &'static [&'static str] =
        &["wasi:keyvalue@0.2.0-draft", "wasi:keyvalue@0.2.0-draft2", "wasmcloud:keyvalue@0.2.0"];
    const CONCURRENT_PACKAGES: &'static [&'static str] = &["wasmcloud:keyvalue@0.2.0"];

    type State = KeyValueCtx;

    fn view<'a>(state: &'a mut KeyValueCtx, table: &'a mut ResourceTable) -> KeyValueView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
        draft2::wasi::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
        draft2::wasi::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
        draft2::wasi::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
        // Engines without concurrency support cannot link async functions.
        if linker.engine().get_concurrency_support() {
            wasmcloud::wasmcloud::keyvalue::types::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud::wasmcloud::keyvalue::store::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud::wasmcloud::keyvalue::atomics::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud::wasmcloud::keyvalue::cas::add_to_linker::<T, Self>(linker, T::provide)?;
            wasmcloud::wasmcloud::keyvalue::batch::add_to_linker::<T, Self>(linker, T::provide)?;
        }
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
