//! The service `WasiBlobstore`, and its state per store.

use std::fmt;
use std::sync::Arc;

use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, LinkerInstance, Resource, ResourceTable};

use crate::bindings::{draft, tempo};
use crate::copies::Copies;
use crate::own::OwnContainers;
use crate::{BlobstoreCtxBuilder, Container, Error, Result, labels};

/// The host service for `wasi:blobstore` and `tempo:blobstore`.
#[derive(Clone, Copy, Debug)]
pub struct WasiBlobstore;

/// The state of the service in one store: the component's containers, which all its stores share, and the limits.
pub struct BlobstoreCtx {
    pub(crate) containers: Backends<dyn Container>,
    /// The containers that the component creates, if it may.
    pub(crate) own: Option<OwnContainers>,
    pub(crate) max_object: u64,
    pub(crate) max_answer: usize,
    /// The budget of bytes that the host buffers for the store, in all services.
    pub(crate) bytes: ByteBudget,
    pub(crate) copies: Copies,
}

impl BlobstoreCtx {
    /// Returns a builder of a context without containers and with the default limits.
    pub fn builder() -> BlobstoreCtxBuilder {
        BlobstoreCtxBuilder::new()
    }

    /// Creates the state of a store over `containers`. The maximum size of an object is `max_object_size` bytes;
    /// `limits` supplies the maximum size of a host function's result and the bytes that the host may buffer for the
    /// store.
    pub fn new(containers: Backends<dyn Container>, max_object_size: u64, limits: &Limits) -> Self {
        let max_answer = limits.hostcall_bytes;
        let (bytes, copies) = (ByteBudget::new(limits.host_memory), Copies::default());
        Self { containers, own: None, max_object: max_object_size, max_answer, bytes, copies }
    }

    /// Returns the state for another store, which shares the containers and reserves its buffers in `bytes`.
    pub fn for_another_store(&self, bytes: &ByteBudget) -> Self {
        let Self { containers, own, max_object, max_answer, bytes: _, copies } = self;
        let (containers, own, bytes, copies) = (containers.clone(), own.clone(), bytes.clone(), copies.clone());
        Self { containers, own, max_object: *max_object, max_answer: *max_answer, bytes, copies }
    }

    /// Lets the component create containers, in parts of a container of the host.
    pub(crate) fn with_own(self, own: Option<OwnContainers>) -> Self {
        Self { own, ..self }
    }

    /// Finds the container `name`: a configured one, or one that the component has created.
    pub(crate) async fn find(&self, name: &str) -> Result<Arc<dyn Container>> {
        match (self.containers.get(name), &self.own) {
            (Some(container), _) => Ok(container.clone()),
            (None, Some(own)) => own.open(name).await?.ok_or_else(Error::no_such_container),
            (None, None) => Err(Error::no_such_container()),
        }
    }

    /// Finds the container `name`, or creates it if the component may.
    pub(crate) async fn find_or_create(&self, name: &str) -> Result<Arc<dyn Container>> {
        match (self.containers.get(name), &self.own) {
            (None, Some(own)) => own.create(name).await,
            _ => self.find(name).await,
        }
    }

    /// Returns the view that host functions use during a call. `table` also holds the streams of `wasi:io`.
    pub fn view<'a>(&'a self, table: &'a mut ResourceTable) -> BlobstoreView<'a> {
        BlobstoreView { state: self, table }
    }
}

impl fmt::Debug for BlobstoreCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobstoreCtx").field("max_object", &self.max_object).finish_non_exhaustive()
    }
}

/// The view of a store that the host functions use: its state and its resource table.
pub struct BlobstoreView<'a> {
    pub(crate) state: &'a BlobstoreCtx,
    pub(crate) table: &'a mut ResourceTable,
}

impl fmt::Debug for BlobstoreView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobstoreView").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A container that a guest has opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenContainer {
    pub(crate) name: String,
    pub(crate) container: Arc<dyn Container>,
}

impl BlobstoreView<'_> {
    /// Returns a handle of a container.
    pub(crate) fn open(
        &mut self,
        name: String,
        container: Result<Arc<dyn Container>>,
    ) -> wasmtime::Result<Result<Resource<OpenContainer>>> {
        match container {
            Ok(container) => Ok(Ok(self.table.push(OpenContainer { name, container })?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Returns the container of a guest's handle.
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
    const LABELLED: &'static [&'static str] = &["wasi:blobstore/blobstore", "tempo:blobstore/store"];

    type State = BlobstoreCtx;

    fn view<'a>(state: &'a mut BlobstoreCtx, table: &'a mut ResourceTable) -> BlobstoreView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::blobstore::types::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::blobstore::container::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::blobstore::blobstore::add_to_linker::<T, Self>(linker, T::provide)?;
        // An engine without concurrency support cannot link async functions.
        if linker.engine().get_concurrency_support() {
            tempo::tempo::blobstore::store::add_to_linker::<T, Self>(linker, T::provide)?;
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
