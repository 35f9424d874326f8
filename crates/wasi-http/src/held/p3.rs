//! The functions of `wasi:http/types@0.3` that allocate on the host, replacing those of `wasmtime-wasi-http`.

use tempo_core::Provide;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p3::Request as HostRequest;
use wasmtime_wasi_http::p3::bindings::http::types::{
    HeaderError, Host as _, HostFields, HostRequest as _, Method, Scheme,
};

use super::functions::replace_functions;
use super::{field_bytes, set};
use crate::{HttpView, WasiHttp};

type Store<'a, T> = StoreContextMut<'a, T>;
type Fields = Resource<FieldMap>;
type Request = Resource<HostRequest>;

/// Replaces the functions that `wasmtime-wasi-http` added to `linker`.
pub(crate) fn add_to_linker<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:http/types@0.3.0")?;
    fields::<T>(&mut types)?;
    get_and_delete::<T>(&mut types)?;
    requests::<T>(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

replace_functions!("request");

fn get_and_delete<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    types.func_wrap("[method]fields.get-and-delete", |mut store: Store<'_, T>, (fields, name): (Fields, String)| {
        let mut view = T::provide(store.data_mut());
        let changed = view.change(fields, 0, |http, fields| HostFields::get_and_delete(http, fields, name));
        header_result(&mut view, changed)
    })
}

/// Converts the result of a function of `fields`. `None` means that the bytes were not admitted.
fn header_result<R>(
    view: &mut HttpView<'_>,
    result: Option<Result<R, TrappableError<HeaderError>>>,
) -> wasmtime::Result<(Result<R, HeaderError>,)> {
    Ok((match result {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(view.http.convert_header_error(error)?),
        None => Err(HeaderError::SizeExceeded),
    },))
}
