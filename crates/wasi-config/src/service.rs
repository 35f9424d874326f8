//! The service `wasi:config`.

use std::fmt;
use tempo_core::{Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, ResourceTable};

use crate::bindings::{draft, draft_2024_09_27, rc1};
use crate::{ConfigCtx, Configuration};

/// The host service for `wasi:config`.
#[derive(Clone, Copy, Debug)]
pub struct WasiConfig;

/// The view of a store that the host functions use.
pub struct ConfigView<'a> {
    pub(crate) configuration: &'a dyn Configuration,
    pub(crate) max_bytes: usize,
}

impl fmt::Debug for ConfigView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigView").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl HasData for WasiConfig {
    type Data<'a> = ConfigView<'a>;
}

impl Service for WasiConfig {
    const INTERFACES: &'static [&'static str] = &["wasi:config/store", "wasi:config/runtime"];
    const PACKAGES: &'static [&'static str] =
        &["wasi:config@0.2.0-rc.1", "wasi:config@0.2.0-draft", "wasi:config@0.2.0-draft-2024-09-27"];

    type State = ConfigCtx;

    fn view<'a>(state: &'a mut ConfigCtx, _: &'a mut ResourceTable) -> ConfigView<'a> {
        state.view()
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        rc1::wasi::config::store::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::config::store::add_to_linker::<T, Self>(linker, T::provide)?;
        draft::wasi::config::runtime::add_to_linker::<T, Self>(linker, T::provide)?;
        draft_2024_09_27::wasi::config::store::add_to_linker::<T, Self>(linker, T::provide)
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
