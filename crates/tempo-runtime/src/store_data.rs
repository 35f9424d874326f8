//! What a store carries: WASI, its limits, and a slot for each service.

use tempo_core::{Backend, ByteBudget, OpenFiles, Provide, Service, StoreLimiter};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiView};

use crate::open_files::Sockets;

/// What every store carries, whatever its services.
pub struct Base {
    /// WASI: environment, directories, clocks, random numbers, standard streams.
    pub wasi: WasiCtx,
    /// The store's resources.
    pub table: ResourceTable,
    /// What its memories and tables may hold.
    pub limiter: StoreLimiter,
    /// What it has open.
    pub open_files: OpenFiles,
    /// Which of that are sockets.
    pub sockets: Sockets,
    /// What the host may hold for it, in all services together.
    pub bytes: ByteBudget,
}

/// A store's data. [`runtime!`](crate::runtime!) writes the type and this implementation.
pub trait StoreData: WasiView + Sized + 'static {
    /// The data of a new store, whose services are still to be equipped.
    fn new(base: Base) -> Self;

    /// What every store carries.
    fn base(&mut self) -> &mut Base;
}

/// Says where a store's data keeps service `S`, and what stands behind it.
pub trait Carry<S: Service>: StoreData + Provide<S> {
    /// What stands behind the service.
    type Backend: Backend<S>;

    /// The service's place.
    fn slot(&mut self) -> &mut Slot<S, Self::Backend>;
}

/// The place of service `S` in a store's data: empty, unless the component imports the service.
pub struct Slot<S: Service, B: Backend<S>> {
    state: Option<B::State>,
}

impl<S: Service, B: Backend<S>> Default for Slot<S, B> {
    fn default() -> Self {
        Self { state: None }
    }
}

impl<S: Service, B: Backend<S>> Slot<S, B> {
    /// Puts a store's share of the service in its place. What it holds for the store is reserved in `bytes`.
    pub fn fill(&mut self, backend: &B, bytes: &ByteBudget) {
        self.state = Some(backend.state(bytes));
    }

    /// Lends the service's view.
    ///
    /// # Panics
    ///
    /// If the component does not import the service: then the service is not linked either, and nothing asks for it.
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> S::Data<'a> {
        match &mut self.state {
            Some(state) => B::view(state, table),
            None => panic!("{} was asked for, but the component does not import it", std::any::type_name::<S>()),
        }
    }
}
