//! The guest, in an engine of this process: the test passes the records to the guest, and reads them from the host's
//! sink.

use std::sync::{Arc, LazyLock};

use tempo_core::{Provide, Service as _};
use tempo_telemetry::{CallContext, within};
use tempo_wasi_otel::{OtelCtx, OtelView, WasiOtel};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::support;

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]
    wasmtime::component::bindgen!({
        path: ["../wit/otel", "guests/otel-raw/wit"],
        world: "test:otel-raw/raw",
        require_store_data_send: true,
    });
}

pub(super) use bindings::wasi::clocks::wall_clock::Datetime;
pub(super) use bindings::wasi::otel::{logs, metrics, tracing, types};
pub(super) use bindings::{Raw, Step};

struct StoreData {
    otel: OtelCtx,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Provide<WasiOtel> for StoreData {
    fn provide(&mut self) -> OtelView<'_> {
        self.otel.view()
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Compiled once, for an engine without concurrency support, as runtimes create it for such a component.
static GUEST: LazyLock<(Component, Linker<StoreData>)> = LazyLock::new(|| {
    let mut config = Config::new();
    config.wasm_component_model_async(false).concurrency_support(false);
    let engine = Engine::new(&config).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    WasiOtel::add_to_linker(&mut linker).unwrap();
    (Component::from_file(&engine, support::guest("otel-raw")).unwrap(), linker)
});

pub(super) struct Guest {
    store: Store<StoreData>,
    raw: Raw,
    /// The context of the call.
    pub(super) call: Option<Arc<CallContext>>,
}

impl Guest {
    pub(super) fn new(otel: OtelCtx) -> Self {
        let (component, linker) = &*GUEST;
        let data = StoreData { otel, wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(component.engine(), data);
        let raw = Raw::instantiate(&mut store, component, linker).unwrap();
        Self { store, raw, call: None }
    }

    pub(super) fn suite(&mut self) -> Result<(), String> {
        within(self.call.as_ref(), || self.raw.call_suite(&mut self.store)).unwrap()
    }

    pub(super) fn outer(&mut self) -> tracing::SpanContext {
        within(self.call.as_ref(), || self.raw.call_outer(&mut self.store)).unwrap()
    }

    pub(super) fn replay(&mut self, steps: &[Step]) -> Vec<tracing::SpanContext> {
        within(self.call.as_ref(), || self.raw.call_replay(&mut self.store, steps)).unwrap()
    }

    pub(super) fn meter(&mut self, metrics: &metrics::ResourceMetrics) -> Result<(), String> {
        within(self.call.as_ref(), || self.raw.call_meter(&mut self.store, metrics)).unwrap()
    }

    pub(super) fn emit(&mut self, records: &[logs::LogRecord]) {
        within(self.call.as_ref(), || self.raw.call_emit(&mut self.store, records)).unwrap();
    }
}
