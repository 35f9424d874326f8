//! Calls a component's handler, in either version of `wasi:http`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use tempo_core::{CallTarget, CpuMeter, StoreData, WarmInstance};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::{FieldMap, WasiBody, p2, p3};

use super::exchange::CallEnd;
use super::worker::Worker;
use crate::service::http;

/// A guest's response, or the error code that it returned.
pub(crate) type Answer = Result<http::Response<WasiBody>, String>;

/// Finds the component's handler: 0.3 if exported, else 0.2.
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

/// Calls the handler with `request`, sends its answer through `call_end`, and completes when the guest's tasks have ended.
pub(crate) async fn call(
    worker: Arc<Worker>,
    place: CallTarget<Proxy>,
    request: Request<WasiBody>,
    call_end: CallEnd,
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
        Proxy::P2(proxy) => call_p2(store, proxy, request, call_end.answer).await?,
        Proxy::P3(service) => call_p3(store, service, request, call_end, &meter).await?,
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
        // Fails if the exchange has ended; the response is discarded.
        let _ = answer.send(response.map_err(|code| format!("{code:?}")));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

async fn call_p3(
    store: &mut Store<StoreData>,
    service: &p3::bindings::Service,
    request: Request<WasiBody>,
    call_end: CallEnd,
    meter: &CpuMeter,
) -> wasmtime::Result<()> {
    let CallEnd { answer, consumed, quiescence } = call_end;
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
        // Fails if the exchange has ended; the response is discarded.
        let _ = answer.send(answered);
        // The event loop must run until the body is sent, and then until the guest's tasks have ended.
        quiescence.consumed(accessor, consumed, meter).await?;
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        Ok(())
    }));
    quiescence.drive(handled).await?
}
