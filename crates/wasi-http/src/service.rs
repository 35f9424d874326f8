//! The service `wasi:http`, 0.2 and 0.3.

use std::fmt;

use tempo_core::{Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi_http::WasiHttpCtxView;
use wasmtime_wasi_http::p2::bindings as p2;
use wasmtime_wasi_http::p3::bindings as p3;

use crate::client::NextHooks;
use crate::held::{HeldBytes, add_p2_to_linker, add_p3_to_linker};
use crate::requests::{OutgoingRequests, add_outgoing_handler};
use crate::{HttpCtx, middleware};

/// The service `wasi:http`: types, and outgoing requests under the egress policy.
#[derive(Clone, Copy, Debug)]
pub struct WasiHttp;

/// The view of a store that the host functions use.
#[non_exhaustive]
pub struct HttpView<'a> {
    /// The view of `wasmtime-wasi-http`.
    pub http: WasiHttpCtxView<'a>,
    /// Bytes that the host holds in the resource table.
    pub held: &'a mut HeldBytes,
    /// Sends the requests that middleware passes on, if the component is part of an app.
    pub(crate) next: Option<&'a mut NextHooks>,
}

impl fmt::Debug for HttpView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpView").field("held", &self.held).finish_non_exhaustive()
    }
}

impl<'a> HttpView<'a> {
    /// Creates the view of a store.
    pub fn new(http: WasiHttpCtxView<'a>, held: &'a mut HeldBytes) -> Self {
        Self { http, held, next: None }
    }
}

/// Returns the view of `wasmtime-wasi-http`.
pub(crate) fn http<T: Provide<WasiHttp>>(data: &mut T) -> WasiHttpCtxView<'_> {
    T::provide(data).http
}

impl HasData for WasiHttp {
    type Data<'a> = HttpView<'a>;
}

impl Service for WasiHttp {
    const INTERFACES: &'static [&'static str] = &[
        "wasi:http/types",
        "wasi:http/outgoing-handler",
        "wasi:http/incoming-handler",
        "wasi:http/client",
        "wasi:http/handler",
    ];
    const PACKAGES: &'static [&'static str] = &["wasi:http@0.2.12", "wasi:http@0.3.0"];
    const CONCURRENT_PACKAGES: &'static [&'static str] = &["wasi:http@0.3.0"];

    type State = HttpCtx;

    fn view<'a>(state: &'a mut HttpCtx, table: &'a mut ResourceTable) -> HttpView<'a> {
        state.view(table)
    }

    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        type Host = wasmtime_wasi_http::WasiHttp;
        let options = p2::LinkOptions::default();
        p2::http::types::add_to_linker::<T, Host>(linker, &(&options).into(), http::<T>)?;
        add_outgoing_handler(linker)?;
        middleware::add_p2_to_linker(linker)?;
        add_p2_to_linker(linker)?;
        // Without concurrency the engine cannot hold async functions.
        if linker.engine().get_concurrency_support() {
            p3::http::types::add_to_linker::<T, Host>(linker, http::<T>)?;
            p3::http::client::add_to_linker::<T, OutgoingRequests>(linker, http::<T>)?;
            middleware::add_p3_to_linker(linker)?;
            add_p3_to_linker(linker)?;
        }
        Ok(())
    }

    fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Self::add_to_linker(linker)
    }
}
