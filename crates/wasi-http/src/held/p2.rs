//! The functions of `wasi:http/types@0.2` that allocate on the host, replacing those of `wasmtime-wasi-http`.
//!
//! `header-error` has no case for fields that are too large, where `wasmtime-wasi-http` traps. Here the error is
//! `forbidden`, so that the guest can continue.

use tempo_core::Provide;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi_http::p2;
use wasmtime_wasi_http::p2::bindings::http::types::{
    HeaderError, Host as _, HostFields, HostOutgoingRequest as _, Method, Scheme,
};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::{FieldMap, FieldMapError};

use super::functions::replace_functions;
use super::{P2_BODY_BYTES, field_bytes, set};
use crate::{HttpView, WasiHttp};

type Store<'a, T> = StoreContextMut<'a, T>;
type Fields = Resource<FieldMap>;
type Request = Resource<HostOutgoingRequest>;

/// Replaces the functions that `wasmtime-wasi-http` added to `linker`.
pub(crate) fn add_to_linker<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:http/types@0.2.12")?;
    fields::<T>(&mut types)?;
    requests::<T>(&mut types)?;
    bodies::<T>(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

replace_functions!("outgoing-request");

fn bodies<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    type Body = Resource<HostOutgoingBody>;
    types.func_wrap("[method]outgoing-request.body", |mut store: Store<'_, T>, (request,): (Request,)| {
        set::<Body>(T::provide(store.data_mut()), P2_BODY_BYTES, |http| {
            p2::bindings::http::types::HostOutgoingRequest::body(http, request)
        })
    })?;
    types.func_wrap(
        "[method]outgoing-response.body",
        |mut store: Store<'_, T>, (response,): (Resource<HostOutgoingResponse>,)| {
            set::<Body>(T::provide(store.data_mut()), P2_BODY_BYTES, |http| {
                p2::bindings::http::types::HostOutgoingResponse::body(http, response)
            })
        },
    )
}

/// Converts the result of a function of `fields`. `None` means that the bytes were not admitted.
fn header_result<R>(
    view: &mut HttpView<'_>,
    result: Option<p2::HeaderResult<R>>,
) -> wasmtime::Result<(Result<R, HeaderError>,)> {
    let error = match result {
        Some(Ok(value)) => return Ok((Ok(value),)),
        Some(Err(error)) => match view.http.convert_header_error(error) {
            Err(trap) if trap.is::<FieldMapError>() => HeaderError::Forbidden,
            converted => converted?,
        },
        None => HeaderError::Forbidden,
    };
    Ok((Err(error),))
}
