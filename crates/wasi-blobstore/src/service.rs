//! The service `WasiBlobstore`, and its state per store.

use std::fmt;
use std::sync::Arc;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::bindings::{draft, tempo};
use crate::copies::Copies;
use crate::{Container, Error, Result};

/// The host service for `wasi:blobstore` and `tempo:blobstore`.
#[derive(Clone, Copy, Debug)]
pub struct WasiBlobstore;

/// What one store carries for the service: the component's containers, shared by all its stores, and its limits.
pub struct BlobstoreCtx {
    pub(crate) containers: Backends<dyn Container>,
    pub(crate) max_object: u64,
    pub(crate) max_answer: usize,
    /// What the host may hold for the store, in all services together.
    pub(crate) bytes: ByteBudget,
    pub(crate) copies: Copies,
}

impl BlobstoreCtx {
    /// A store's share of `containers`. An object may have `max_object_size` bytes; of `limits`, the bytes that may
    /// cross the border in one call count, and those that the host holds for one store.
    pub fn new(containers: Backends<dyn Container>, max_object_size: u64, limits: &Limits) -> Self {
        let max_answer = limits.hostcall_bytes;
        let (bytes, copies) = (ByteBudget::new(limits.host_memory), Copies::default());
        Self { containers, max_object: max_object_size, max_answer, bytes, copies }
    }

    /// The same for another store, which shares the containers, and reserves in `bytes` what it holds.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        let Self { containers, max_object, max_answer, bytes: _, copies } = self;
        let (containers, bytes, copies) = (containers.clone(), bytes.clone(), copies.clone());
        Self { containers, max_object: *max_object, max_answer: *max_answer, bytes, copies }
    }

    /// What host functions work on during a call. `table` is the one that `wasi:io` uses for its streams.
    pub fn view<'a>(&'a self, table: &'a mut ResourceTable) -> BlobstoreView<'a> {
        BlobstoreView { state: self, table }
    }
}

impl fmt::Debug for BlobstoreCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobstoreCtx").field("max_object", &self.max_object).finish_non_exhaustive()
    }
}

/// What the service's functions work on: it borrows a store's share and its resource table for one call.
pub struct BlobstoreView<'a> {
    pub(crate) state: &'a BlobstoreCtx,
    pub(crate) table: &'a mut ResourceTable,
}

/// A container that a guest has opened.
pub struct OpenContainer {
    pub(crate) name: String,
    pub(crate) container: Arc<dyn Container>,
}

impl BlobstoreView<'_> {
    /// The container that is configured as `name`.
    pub(crate) fn configured(&self, name: &str) -> Result<Arc<dyn Container>> {
        self.state.containers.get(name).cloned().ok_or_else(Error::no_such_container)
    }

    /// Opens the container that is configured as `name`.
    pub(crate) fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<OpenContainer>>> {
        match self.configured(&name) {
            Ok(container) => Ok(Ok(self.table.push(OpenContainer { name, container })?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The container behind a guest's handle.
    pub(crate) fn container(&self, handle: &Resource<OpenContainer>) -> wasmtime::Result<Arc<dyn Container>> {
        Ok(self.table.get(handle)?.container.clone())
    }
}

impl HasData for WasiBlobstore {
    type Data<'a> = BlobstoreView<'a>;
}

impl Service for WasiBlobstore {
    const INTERFACES: &'static [&'static str] =
        &["wasi:blobstore/types", "wasi:blobstore/container", "wasi:blobstore/blobstore", "tempo:blobstore/store"];
    const PACKAGES: &'static [&'static str] = &["wasi:blobstore@0.2.0-draft", "tempo:blobstore@0.1.0"];
    const CONCURRENT_PACKAGES: &'static [&'static str] = &["tempo:blobstore@0.1.0"];

    type State = BlobstoreCtx;

    fn view<'a>(state: &'a mut BlobstoreCtx, table: &'a mut ResourceTable) -> BlobstoreView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::blobstore::types::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::blobstore::container::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::blobstore::blobstore::add_to_linker::<T, Self>(linker, T::provide)?;
        // Without concurrency the engine cannot hold async functions.
        if linker.engine().get_concurrency_support() {
            tempo::tempo::blobstore::store::add_to_linker::<T, Self>(linker, T::provide)?;
        }
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
