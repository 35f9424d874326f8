//! The service `wasi:otel`.

use std::fmt;

use tempo_core::{Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::bindings::wasi::otel;
use crate::limits::Budgets;
use crate::{Collector, OtelCtx};

/// The host service for `wasi:otel`.
#[derive(Clone, Copy, Debug)]
pub struct WasiOtel;

/// The view of a store that the host functions use.
pub struct OtelView<'a> {
    pub(crate) collector: &'a dyn Collector,
    pub(crate) budgets: &'a Budgets,
}

impl fmt::Debug for OtelView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelView").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}

impl HasData for WasiOtel {
    type Data<'a> = OtelView<'a>;
}

impl Service for WasiOtel {
    const INTERFACES: &'static [&'static str] =
        &["wasi:otel/types", "wasi:otel/tracing", "wasi:otel/metrics", "wasi:otel/logs"];
    const PACKAGES: &'static [&'static str] = &["wasi:otel@0.2.0-rc.2"];

    /// `wasi:otel` uses only types of `wasi:clocks`, which need no linking.
    type State = OtelCtx;

    fn view<'a>(state: &'a mut OtelCtx, _: &'a mut ResourceTable) -> OtelView<'a> {
        state.view()
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        otel::types::add_to_linker::<T, Self>(linker, T::provide)?;
        otel::tracing::add_to_linker::<T, Self>(linker, T::provide)?;
        otel::metrics::add_to_linker::<T, Self>(linker, T::provide)?;
        otel::logs::add_to_linker::<T, Self>(linker, T::provide)
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
