//! Links `wasi:http/handler` of WASI 0.3 as an import.

use tempo_core::Provide;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore as _;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{WasiHttp as Host, WasiHttpCtxView};

use super::NO_NEXT;
use crate::{HttpView, WasiHttp};

/// The interface, as it is linked.
const HANDLER: &str = "wasi:http/handler@0.3.0";

/// Links the interface.
pub(crate) fn add_to_linker<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    type Outcome = Result<Resource<Response>, ErrorCode>;
    let mut instance = linker.instance(HANDLER)?;
    instance.func_wrap_concurrent("handle", |accessor, (request,): (Resource<Request>,)| {
        Box::pin(async move {
            let has_next = accessor.with(|mut access| {
                let HttpView { http, next, .. } = T::provide(access.data_mut());
                let has_next = next.is_some_and(|next| next.has_next());
                // The request is passed on below, or dropped here.
                if has_next {
                    Ok(true)
                } else {
                    http.table.delete(Resource::<Request>::new_own(request.rep())).map(|_| false)
                }
            })?;
            if !has_next {
                let refused: Outcome = Err(ErrorCode::InternalError(Some(NO_NEXT.to_owned())));
                return Ok((refused,));
            }
            // The function differs from that of `wasi:http/client` only in where the request goes: that is, in the hooks.
            let host = accessor.with_getter::<Host>(next::<T>);
            let outcome: Outcome = match Host::send(&host, request).await {
                Ok(response) => Ok(response),
                Err(error) => Err(error.downcast()?),
            };
            Ok((outcome,))
        })
    })
}

/// Returns the view whose hooks send to the next component.
fn next<T: Provide<WasiHttp>>(data: &mut T) -> WasiHttpCtxView<'_> {
    let HttpView { http, next, .. } = T::provide(data);
    match next {
        Some(hooks) => WasiHttpCtxView { hooks, table: http.table, ctx: http.ctx },
        None => http,
    }
}
