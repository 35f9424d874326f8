//! Calls a component's handler, in either version of `wasi:http`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use http::Request;
use tempo_core::{CpuMeter, Export, Instance, StoreData};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::{FieldMap, WasiBody, p2, p3};

use super::quiescence::Quiescence;
use crate::handlers::Handlers;
use crate::service::http;
use crate::{WasiHttp, middleware};

/// A guest's response, or the error code that it returned.
pub(crate) type Answer = Result<http::Response<WasiBody>, String>;

/// The exported handler, ready for instantiation.
pub(crate) struct Handler {
    proxy: ProxyPre<StoreData>,
    /// The handler that the component imports. Middleware passes requests on to it.
    next_handler: Option<String>,
}

/// A request for the handler, and the channels through which it answers.
pub(crate) struct HandlerCall {
    pub(crate) request: Request<WasiBody>,
    pub(crate) end: CallEnd,
    /// The number of calls that wait for this one in a row.
    pub(crate) depth: usize,
    /// The components that it is passed on to.
    pub(crate) next: Option<Handlers>,
}

/// The exchange's end of the channels to its call.
pub(crate) struct ExchangeEnd {
    pub(crate) answer: oneshot::Receiver<Answer>,
    pub(crate) consumed: oneshot::Sender<()>,
    /// Tracks whether the event loop of a 0.3 call has work left.
    pub(crate) quiescence: Arc<Quiescence>,
}

/// The call's end of the channels to its exchange.
pub(crate) struct CallEnd {
    answer: oneshot::Sender<Answer>,
    /// Resolves when the response body has been read to its end.
    consumed: oneshot::Receiver<()>,
    quiescence: Arc<Quiescence>,
}

/// Creates the channels between an exchange and its call.
pub(crate) fn end_pair() -> (ExchangeEnd, CallEnd) {
    let (answer_sender, answer) = oneshot::channel();
    let (consumed_sender, consumed) = oneshot::channel();
    let quiescence = Arc::new(Quiescence::default());
    let exchange_end = ExchangeEnd { answer, consumed: consumed_sender, quiescence: quiescence.clone() };
    (exchange_end, CallEnd { answer: answer_sender, consumed, quiescence })
}

impl Handler {
    /// Finds the component's handler: 0.3 if exported, else 0.2.
    ///
    /// # Errors
    ///
    /// The component exports neither.
    pub(crate) fn find(component: &InstancePre<StoreData>) -> wasmtime::Result<Self> {
        let next_handler = middleware::imported(component);
        let proxy = match p3::bindings::ServicePre::new(component.clone()) {
            Ok(service) => ProxyPre::P3(service),
            Err(_) => ProxyPre::P2(p2::bindings::ProxyPre::new(component.clone())?),
        };
        Ok(Self { proxy, next_handler })
    }

    /// Returns the handler that the component imports, if it is middleware.
    pub(crate) fn next_handler(&self) -> Option<&str> {
        self.next_handler.as_deref()
    }

    /// Returns whether the component exports the handler of 0.3.
    pub(crate) fn is_p3(&self) -> bool {
        matches!(self.proxy, ProxyPre::P3(_))
    }
}

impl Export for Handler {
    type Guest = Proxy;
    type Request = HandlerCall;
    type Response = ();

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Proxy> {
        self.proxy.instantiate_async(store).await
    }

    /// Sends the answer through the channel, and completes when the guest's tasks have ended.
    async fn call(&self, instance: Instance<'_, Proxy>, call: HandlerCall) -> wasmtime::Result<()> {
        let HandlerCall { request, end, depth, next } = call;
        instance.store.data().depth.set(depth);
        let is_middleware = self.next_handler.is_some();
        if is_middleware && let Some(hooks) = instance.store.data_mut().service::<WasiHttp>().next {
            hooks.set(next);
        }
        match instance.guest {
            Proxy::P2(proxy) => call_p2(instance.store, proxy, request, end.answer, is_middleware).await,
            Proxy::P3(service) => call_p3(instance.store, service, request, end, instance.meter).await,
        }
    }
}

async fn call_p2(
    store: &mut Store<StoreData>,
    proxy: &p2::bindings::Proxy,
    request: Request<WasiBody>,
    answer: oneshot::Sender<Answer>,
    is_middleware: bool,
) -> wasmtime::Result<()> {
    use p2::bindings::http::types::Scheme;
    let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let scheme = if https { Scheme::Https } else { Scheme::Http };
    let request = if is_middleware {
        middleware::keep(store.data_mut(), scheme, request)?
    } else {
        http(store.data_mut()).new_incoming_request(scheme, request)?
    };
    let mut view = http(store.data_mut());
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
