//! The data of every store of a Tempo runtime: WASI, the limits, and the state of each service that the component imports.
//!
//! The type is concrete so that each service crate compiles its host functions once, not anew in each runtime.

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use tempo_backend::ByteBudget;
use tempo_telemetry::Telemetry;

use crate::{Limits, LogBudget, OpenFiles, Provide, Service, Sockets, StoreLimiter};

/// The data of a store.
pub struct StoreData {
    /// WASI: environment, directories, clocks, random numbers, standard streams.
    pub wasi: WasiCtx,
    /// The resources that the guest has handles to.
    pub table: ResourceTable,
    /// Bounds the guest's memories and tables.
    pub limiter: StoreLimiter,
    /// Bounds the files, directories and sockets that the guest has open.
    pub open_files: OpenFiles,
    /// Which of them are sockets.
    pub sockets: Sockets,
    /// Bounds what the host holds for the guest, in all services together.
    pub bytes: ByteBudget,
    services: Vec<ServiceState>,
}

impl StoreData {
    /// The data of a new store under `limits`, which carries no service yet.
    pub fn new(wasi: WasiCtx, limits: &Limits, bytes: ByteBudget) -> Self {
        Self {
            wasi,
            table: ResourceTable::new(),
            limiter: StoreLimiter::new(limits),
            open_files: OpenFiles::new(limits),
            sockets: Sockets::default(),
            bytes,
            services: Vec::new(),
        }
    }

    /// The same, which counts in `telemetry` each limit that the guest hits, and logs what it is refused within `log`.
    #[must_use]
    pub fn reporting_to(mut self, telemetry: &Telemetry, log: &Arc<LogBudget>) -> Self {
        self.limiter = self.limiter.with_telemetry(telemetry.clone()).logged_within(log.clone());
        self.open_files = self.open_files.with_telemetry(telemetry.clone()).logged_within(log.clone());
        self
    }

    /// Adds the state of one service.
    #[must_use]
    pub fn with(mut self, state: ServiceState) -> Self {
        self.services.push(state);
        self
    }

    /// The view of service `S`.
    ///
    /// # Panics
    ///
    /// If the store does not carry the service. A runtime links only services that its stores carry.
    pub fn service<S: Service>(&mut self) -> S::Data<'_> {
        match self.services.iter_mut().find_map(ServiceState::get_mut::<S>) {
            Some(state) => S::view(state, &mut self.table),
            None => panic!("the store does not carry the service {}", type_name::<S>()),
        }
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl<S: Service> Provide<S> for StoreData {
    fn provide(&mut self) -> <S as HasData>::Data<'_> {
        self.service::<S>()
    }
}

/// The state of one service in one store, with its type erased.
pub struct ServiceState {
    service: TypeId,
    state: Box<dyn Any + Send>,
}

impl ServiceState {
    /// The state of service `S`.
    pub fn new<S: Service>(state: S::State) -> Self {
        Self { service: TypeId::of::<S>(), state: Box::new(state) }
    }

    /// The state, if it is that of service `S`.
    pub fn into_inner<S: Service>(self) -> Option<S::State> {
        let state = (self.service == TypeId::of::<S>()).then_some(self.state)?;
        state.downcast().ok().map(|state| *state)
    }

    fn get_mut<S: Service>(&mut self) -> Option<&mut S::State> {
        (self.service == TypeId::of::<S>()).then(|| self.state.downcast_mut())?
    }
}
