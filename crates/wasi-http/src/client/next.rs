//! `NextHooks`: sends the requests that middleware passes on to the next component.

use http::{Request, Response};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::hooks::{Destination, Hooks};
use crate::handlers::Handlers;
use crate::middleware::SharedBody;

/// The hooks of `wasi:http/handler` as an import, in one store.
pub(crate) struct NextHooks {
    hooks: Hooks,
    /// The components after this one. `None` if a call has not passed through the middleware of another component.
    next: Option<Handlers>,
    /// The resource of the request that is passed on over WASI 0.2, and its body.
    body: Option<(u32, SharedBody)>,
}

impl NextHooks {
    /// Creates the hooks of a store whose outgoing requests are sent by `hooks`.
    pub(crate) fn new(hooks: Hooks) -> Self {
        Self { hooks, next: None, body: None }
    }

    /// Returns whether a component is left after this one.
    pub(crate) fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Sets the components that are left after this one, for the call that begins.
    pub(crate) fn set(&mut self, next: Option<Handlers>) {
        self.next = next;
        self.body = None;
    }

    /// Keeps the body of the request with the resource `request`, until [`take_body`](Self::take_body).
    pub(crate) fn keep_body(&mut self, request: u32, body: SharedBody) {
        self.body = Some((request, body));
    }

    /// Returns the body of the request with this resource. `None` if the request is not that of the current call.
    pub(crate) fn take_body(&mut self, request: u32) -> Option<SharedBody> {
        self.body.take_if(|(kept, _)| *kept == request).map(|(_, body)| body)
    }
}

impl WasiHttpHooks for NextHooks {
    fn set_host_header(&mut self) -> bool {
        false
    }

    /// Sends to the next component.
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<
        dyn Future<Output = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>>
            + Send,
    > {
        let next = self.next.clone();
        let destination = next.map_or(Destination::Nowhere, |next| self.hooks.next(next));
        self.hooks.begin(destination, request, options)
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        self.hooks.p3_outgoing_body_chunk_size()
    }

    fn p3_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        self.hooks.p3_error_from_hyper(error)
    }
}
