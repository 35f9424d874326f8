//! Links `wasi:http/incoming-handler` of WASI 0.2 as an import.
//!
//! A component of WASI 0.2 can create neither an incoming request nor an outparam, so it passes on those that it has
//! received, unchanged, and without a look at the response. The import returns once the response has begun.

use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use tempo_core::{Provide, StoreData};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostIncomingRequest as _, Scheme};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::{WasiBody, WasiHttpHooks as _};

use super::{NO_NEXT, SharedBody};
use crate::service::http;
use crate::{HttpView, WasiHttp};

/// The interface, as it is linked.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.12";

type Incoming = Resource<HostIncomingRequest>;

/// Creates the resource of `request`, and keeps its body for the next component.
pub(crate) fn keep(data: &mut StoreData, scheme: Scheme, request: Request<WasiBody>) -> wasmtime::Result<Incoming> {
    let (head, body) = request.into_parts();
    let body = SharedBody::new(body);
    let resource = http(data).new_incoming_request(scheme, Request::from_parts(head, body.clone()))?;
    if let Some(next) = data.service::<WasiHttp>().next {
        next.keep_body(resource.rep(), body);
    }
    Ok(resource)
}

/// Links the interface.
pub(crate) fn add_to_linker<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(HANDLER)?;
    instance.func_wrap_async("handle", |mut store, (request, out): (Incoming, Resource<HostResponseOutparam>)| {
        Box::new(async move {
            let HostResponseOutparam { send } = http(store.data_mut()).table.delete(out)?;
            let request = passed_on(T::provide(store.data_mut()), request)?;
            let sent = match (request, T::provide(store.data_mut()).next) {
                (Some(request), Some(next)) if next.has_next() => {
                    Some(next.send_request(request, None, Box::new(std::future::ready(Ok(())))))
                }
                _ => None,
            };
            let sent = match sent {
                Some(sent) => Box::into_pin(sent).await.map_err(|error| error.to_string()),
                None => Err(NO_NEXT.to_owned()),
            };
            let sent = sent.map_err(|error| ErrorCode::InternalError(Some(error)));
            // The transmission only reports errors of the body, which the next component reads itself.
            send(sent.map(|(response, _transmission)| response));
            Ok(())
        })
    })
}

/// Takes the request out of the table. `None` if it belongs to an earlier call of the instance.
fn passed_on(view: HttpView<'_>, request: Incoming) -> wasmtime::Result<Option<Request<WasiBody>>> {
    let HttpView { mut http, next, .. } = view;
    let borrowed = || Resource::new_borrow(request.rep());
    let method = http.method(borrowed())?.try_into()?;
    let scheme = match http.scheme(borrowed())? {
        Some(Scheme::Https) => http::uri::Scheme::HTTPS,
        _ => http::uri::Scheme::HTTP,
    };
    let authority = http.authority(borrowed())?.unwrap_or_default();
    let path = http.path_with_query(borrowed())?;
    let headers = http.headers(borrowed())?;
    let headers = http.table.delete(headers)?;
    let rep = request.rep();
    let incoming = http.table.delete(request)?;
    let Some(kept) = next.and_then(|next| next.take_body(rep)) else { return Ok(None) };
    // The component has read the body itself if the resource no longer has it.
    let body = incoming.body.is_some().then(|| kept.take()).flatten();
    let body = body.unwrap_or_else(|| Empty::new().map_err(|never| match never {}).boxed_unsync());
    let path = path.map_or_else(|| Ok(PathAndQuery::from_static("/")), |path| path.parse())?;
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()?;
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers.into());
    Ok(Some(request))
}
