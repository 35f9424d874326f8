//! The service `wasi:logging`.

use tempo_core::{Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::LoggingCtx;
use crate::bindings::{draft, unversioned};

/// The host service for `wasi:logging`.
#[derive(Clone, Copy, Debug)]
pub struct WasiLogging;

/// The view of a store that the host function uses.
#[derive(Debug)]
pub struct LoggingView<'a> {
    pub(crate) state: &'a LoggingCtx,
}

impl HasData for WasiLogging {
    type Data<'a> = LoggingView<'a>;
}

impl Service for WasiLogging {
    const INTERFACES: &'static [&'static str] = &["wasi:logging/logging"];
    const PACKAGES: &'static [&'static str] = &["wasi:logging@0.1.0-draft", "wasi:logging"];

    type State = LoggingCtx;

    fn view<'a>(state: &'a mut LoggingCtx, _: &'a mut ResourceTable) -> LoggingView<'a> {
        state.view()
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        draft::wasi::logging::logging::add_to_linker::<T, Self>(linker, T::provide)?;
        unversioned::wasi::logging::logging::add_to_linker::<T, Self>(linker, T::provide)
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
