//! The data of every store of a Tempo runtime: WASI, the limits, and the state of each service that the component imports.
//!
//! The type is concrete so that each service crate compiles its host functions once, not again in each runtime.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use tempo_backend::ByteBudget;
use tempo_telemetry::Telemetry;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_tls::{UnsupportedProvider, WasiTlsCtx, WasiTlsCtxBuilder, WasiTlsCtxView, WasiTlsView};

use crate::{ChainDepth, Limits, LogBudget, LogTail, OpenFiles, Provide, Service, Sockets, StoreLimiter};

/// The data of a store.
///
/// ```
/// use tempo_backend::ByteBudget;
/// use tempo_core::{Limits, NoService, ServiceState, StoreData, WasiCtx};
///
/// let limits = Limits::default();
/// let wasi = WasiCtx::builder().env("LANG", "C").build();
/// let mut data = StoreData::new(wasi, &limits, ByteBudget::new(limits.host_memory))
///     .with(ServiceState::new::<NoService>(()));
/// // The view that the service's host functions get.
/// let () = data.service::<NoService>();
/// ```
pub struct StoreData {
    /// WASI: environment, directories, clocks, random numbers, standard streams.
    pub wasi: WasiCtx,
    /// The resources that the guest has handles to.
    pub table: ResourceTable,
    /// Limits the guest's memories and tables.
    pub limiter: StoreLimiter,
    /// Limits the guest's open files, directories and sockets.
    pub open_files: OpenFiles,
    /// The open sockets, which also count as open files.
    pub sockets: Sockets,
    /// Limits the bytes that the host holds for the guest, in all services together.
    pub bytes: ByteBudget,
    /// The number of calls of other components that wait for the running one.
    pub depth: ChainDepth,
    /// `wasi:tls`, if the component imports it.
    tls: Option<WasiTlsCtx>,
    services: Vec<ServiceState>,
    /// The guest's log lines that the rate limit dropped.
    pub(crate) log_tail: LogTail,
}

impl StoreData {
    /// Creates the data of a new store under `limits`, without services.
    pub fn new(wasi: WasiCtx, limits: &Limits, bytes: ByteBudget) -> Self {
        Self {
            wasi,
            table: ResourceTable::new(),
            limiter: StoreLimiter::new(limits),
            open_files: OpenFiles::new(limits),
            sockets: Sockets::default(),
            bytes,
            depth: ChainDepth::default(),
            tls: None,
            services: Vec::new(),
            log_tail: LogTail::default(),
        }
    }

    /// Sets the tail of the guest's log, which a trap writes and a successful call clears.
    #[must_use]
    pub fn with_log_tail(mut self, log_tail: LogTail) -> Self {
        self.log_tail = log_tail;
        self
    }

    /// Sets the provider of `wasi:tls`. Without one, every handshake fails.
    #[must_use]
    pub fn with_tls(mut self, tls: WasiTlsCtx) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Counts the calls of other components that wait for those in the store.
    #[must_use]
    pub fn with_depth(mut self, depth: ChainDepth) -> Self {
        self.depth = depth;
        self
    }

    /// Counts open files and sockets in these, to which the WASI context refers.
    #[must_use]
    pub fn with_open_files(mut self, open_files: OpenFiles, sockets: Sockets) -> Self {
        self.open_files = open_files;
        self.sockets = sockets;
        self
    }

    /// Counts limit hits of the guest in `telemetry`, and logs refusals, rate-limited by `log`.
    #[must_use]
    pub fn with_reporting(mut self, telemetry: &Telemetry, log: &Arc<LogBudget>) -> Self {
        self.limiter = self.limiter.with_telemetry(telemetry.clone()).with_log(log.clone());
        self.open_files = self.open_files.with_telemetry(telemetry.clone()).with_log(log.clone());
        self
    }

    /// Adds the state of one service.
    #[must_use]
    pub fn with(mut self, state: ServiceState) -> Self {
        self.services.push(state);
        self
    }

    /// Returns the view of service `S`.
    ///
    /// # Panics
    ///
    /// If the store has no state of the service. A runtime links only services whose state its stores have.
    pub fn service<S: Service>(&mut self) -> S::Data<'_> {
        match self.services.iter_mut().find_map(ServiceState::get_mut::<S>) {
            Some(state) => S::view(state, &mut self.table),
            None => panic!("the store has no state of the service {}", type_name::<S>()),
        }
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiTlsView for StoreData {
    fn tls(&mut self) -> WasiTlsCtxView<'_> {
        let unsupported = || WasiTlsCtxBuilder::new().provider(Box::new(UnsupportedProvider::default())).build();
        WasiTlsCtxView { table: &mut self.table, ctx: self.tls.get_or_insert_with(unsupported) }
    }
}

impl<S: Service> Provide<S> for StoreData {
    fn provide(&mut self) -> <S as HasData>::Data<'_> {
        self.service::<S>()
    }
}

impl fmt::Debug for StoreData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreData").field("services", &self.services).finish_non_exhaustive()
    }
}

/// The state of one service in one store, with its type erased.
pub struct ServiceState {
    service: TypeId,
    name: &'static str,
    state: Box<dyn Any + Send>,
}

impl ServiceState {
    /// Wraps the state of service `S`.
    pub fn new<S: Service>(state: S::State) -> Self {
        Self { service: TypeId::of::<S>(), name: type_name::<S>(), state: Box::new(state) }
    }

    /// Returns the state if it is that of service `S`.
    pub fn into_inner<S: Service>(self) -> Option<S::State> {
        let state = (self.service == TypeId::of::<S>()).then_some(self.state)?;
        state.downcast().ok().map(|state| *state)
    }

    fn get_mut<S: Service>(&mut self) -> Option<&mut S::State> {
        (self.service == TypeId::of::<S>()).then(|| self.state.downcast_mut())?
    }
}

impl fmt::Debug for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceState").field(&self.name).finish()
    }
}
