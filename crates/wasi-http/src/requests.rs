//! Adds a path to outgoing requests that have none, in both versions: wasmtime rejects them otherwise.

use http::uri::PathAndQuery;
use tempo_core::Provide;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p2::bindings::http as p2;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::p3::bindings::http as p3;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{RequestOptions, WasiHttpCtxView};

use crate::WasiHttp;
use crate::service::http;

/// The path of a request that names none (RFC 9112, 3.2.1).
const ROOT: &str = "/";

/// Links `wasi:http/outgoing-handler` of 0.2.
pub(crate) fn add_outgoing_handler<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    use p2::outgoing_handler::Host as _;
    use p2::types::Host as _;
    type Params = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
    type Outcome = Result<Resource<HostFutureIncomingResponse>, p2::types::ErrorCode>;
    let mut instance = linker.instance("wasi:http/outgoing-handler@0.2.12")?;
    instance.func_wrap("handle", |mut store, (request, options): Params| -> wasmtime::Result<(Outcome,)> {
        let mut view = http(store.data_mut());
        view.table.get_mut(&request)?.path_with_query.get_or_insert_with(|| ROOT.to_owned());
        Ok((match view.handle(request, options) {
            Ok(response) => Ok(response),
            Err(error) => Err(view.convert_error_code(error)?),
        },))
    })
}

/// Implements `wasi:http/client` of 0.3 over wasmtime's view.
pub(crate) struct OutgoingRequests;

impl HasData for OutgoingRequests {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl<T: Send + 'static> p3::client::HostWithStore<T> for OutgoingRequests {
    async fn send(
        store: &Accessor<T, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<p3::types::ErrorCode>> {
        store.with(|mut access| {
            let request = access.get().table.get_mut(&request).map_err(TrappableError::trap)?;
            request.path_with_query.get_or_insert_with(|| PathAndQuery::from_static(ROOT));
            Ok::<_, TrappableError<_>>(())
        })?;
        let host = store.with_getter::<wasmtime_wasi_http::WasiHttp>(store.getter());
        <wasmtime_wasi_http::WasiHttp as p3::client::HostWithStore<T>>::send(&host, request).await
    }
}
