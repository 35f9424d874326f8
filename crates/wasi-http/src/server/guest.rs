//! One call of a component's handler, in either version of `wasi:http`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::{FieldMap, WasiBody, p2, p3};
use tempo_core::{CallTarget, CpuMeter, StoreData, WarmInstance};

use super::exchange::Far;
use super::worker::Worker;
use crate::service::http;

/// The head of a guest's response with its body, or the error code it answered with.
pub(crate) type Answer = Result<http::Response<WasiBody>, String>;

/// Finds the component's handler: 0.3 if it exports that, else 0.2.
///
/// # Errors
///
/// The component exports neither.
pub(crate) fn handler(component: &InstancePre<StoreData>) -> wasmtime::Result<ProxyPre<StoreData>> {
    match p3::bindings::ServicePre::new(component.clone()) {
        Ok(service) => Ok(ProxyPre::P3(service)),
        Err(_) => p2::bindings::ProxyPre::new(component.clone()).map(ProxyPre::P2),
    }
}

/// Calls the handler with `request`, sends what it answers to the exchange at the `far` end, and goes on until the guest is
/// done.
pub(crate) async fn call(
    worker: Arc<Worker>,
    place: CallTarget<Proxy>,
    request: Request<WasiBody>,
    far: Far,
) -> wasmtime::Result<WarmInstance<Proxy>> {
    let meter = place.meter();
    let mut warm = match place {
        CallTarget::Warm(warm) => warm,
        CallTarget::Fresh(mut fresh) => {
            let proxy = worker.workload.instantiated(pin!(worker.handler.instantiate_async(fresh.store()))).await?;
            fresh.with(proxy)
        }
    };
    let (store, proxy) = warm.parts();
    match proxy {
        Proxy::P2(proxy) => call_p2(store, proxy, request, far.answer).await?,
        Proxy::P3(service) => call_p3(store, service, request, far, &meter).await?,
    }
    Ok(warm)
}

async fn call_p2(
    store: &mut Store<StoreData>,
    proxy: &p2::bindings::Proxy,
    request: Request<WasiBody>,
    answer: oneshot::Sender<Answer>,
) -> wasmtime::Result<()> {
    use p2::bindings::http::types::Scheme;
    let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let scheme = if https { Scheme::Https } else { Scheme::Http };
    let mut view = http(store.data_mut());
    let request = view.new_incoming_request(scheme, request)?;
    let out = view.new_response_outparam_from_callback(move |response| {
        // The server may have given up already; then nobody wants the response.
        let _ = answer.send(response.map_err(|code| format!("{code:?}")));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

async fn call_p3(
    store: &mut Store<StoreData>,
    service: &p3::bindings::Service,
    request: Request<WasiBody>,
    far: Far,
    meter: &CpuMeter,
) -> wasmtime::Result<()> {
    let Far { answer, consumed, quiescence } = far;
    let handled = pin!(store.run_concurrent(async |accessor| -> wasmtime::Result<()> {
        let (request, transmission) = accessor.with(|mut access| {
            let view = http(access.get());
            let (head, body) = request.into_parts();
            let uri = head.uri.into_parts();
            let headers = FieldMap::new_immutable(view.hooks, head.headers);
            let (request, transmission) =
                p3::Request::new(head.method, uri.scheme, uri.authority, uri.path_and_query, headers, None, body);
            wasmtime::error::Ok((view.table.push(request)?, transmission))
        })?;
        let answered = match service.wasi_http_handler().call_handle(accessor, request).await? {
            Ok(response) => Ok(accessor.with(|mut access| {
                let response = http(access.get()).table.delete(response)?;
                response.into_http_with_getter(&mut access, transmission, http::<StoreData>)
            })?),
            Err(code) => Err(format!("{code:?}")),
        };
        // As above: a server that has given up wants no response.
        let _ = answer.send(answered);
        // The event loop must turn until the body has gone out, and then until the guest's tasks have ended.
        quiescence.consumed(accessor, consumed, meter).await?;
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        Ok(())
    }));
    quiescence.drive(handled).await?
}
