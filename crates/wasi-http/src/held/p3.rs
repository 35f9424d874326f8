//! The functions of `wasi:http/types@0.3` that allocate on the host, replacing those of `wasmtime-wasi-http`.

use tempo_core::Provide;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p3::Request as HostRequest;
use wasmtime_wasi_http::p3::bindings::http::types::{
    HeaderError, Host as _, HostFields, HostRequest as _, Method, Scheme,
};
use wasmtime_wasi_http::{FieldMap, WasiHttpCtxView};

use super::field_bytes;
use crate::{HttpView, WasiHttp};

type Store<'a, T> = StoreContextMut<'a, T>;
type Fields = Resource<FieldMap>;
type Request = Resource<HostRequest>;

/// Replaces the functions that `wasmtime-wasi-http` added to `linker`.
pub(crate) fn add_to_linker<T: Provide<WasiHttp>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:http/types@0.3.0")?;
    fields::<T>(&mut types)?;
    deletions::<T>(&mut types)?;
    requests::<T>(&mut types)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn fields<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    type Pairs = Vec<(String, Vec<u8>)>;
    types.func_wrap("[static]fields.from-list", |mut store: Store<'_, T>, (pairs,): (Pairs,)| {
        let mut view = T::provide(store.data_mut());
        let bytes = pairs.iter().map(|(name, value)| field_bytes(name, value.len())).fold(0, usize::saturating_add);
        let made = view.add(bytes, |http| HostFields::from_list(http, pairs));
        header_result(&mut view, made)
    })?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: Store<'_, T>, (fields, name, value): (Fields, String, Vec<u8>)| {
            let mut view = T::provide(store.data_mut());
            let bytes = field_bytes(&name, value.len());
            let changed = view.change(fields, bytes, |http, fields| HostFields::append(http, fields, name, value));
            header_result(&mut view, changed)
        },
    )?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: Store<'_, T>, (fields, name, values): (Fields, String, Vec<Vec<u8>>)| {
            let mut view = T::provide(store.data_mut());
            let bytes = values.iter().map(|value| field_bytes(&name, value.len())).fold(0, usize::saturating_add);
            let changed = view.change(fields, bytes, |http, fields| HostFields::set(http, fields, name, values));
            header_result(&mut view, changed)
        },
    )
}

fn deletions<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    types.func_wrap("[method]fields.delete", |mut store: Store<'_, T>, (fields, name): (Fields, String)| {
        let mut view = T::provide(store.data_mut());
        let changed = view.change(fields, 0, |http, fields| HostFields::delete(http, fields, name));
        header_result(&mut view, changed)
    })?;
    types.func_wrap("[method]fields.get-and-delete", |mut store: Store<'_, T>, (fields, name): (Fields, String)| {
        let mut view = T::provide(store.data_mut());
        let changed = view.change(fields, 0, |http, fields| HostFields::get_and_delete(http, fields, name));
        header_result(&mut view, changed)
    })
}

fn requests<T: Provide<WasiHttp>>(types: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]request.set-method",
        |mut store: Store<'_, T>, (request, method): (Request, Method)| {
            let bytes = if let Method::Other(text) = &method { text.len() } else { 0 };
            set(T::provide(store.data_mut()), bytes, |http| http.set_method(request, method))
        },
    )?;
    types.func_wrap(
        "[method]request.set-path-with-query",
        |mut store: Store<'_, T>, (request, path): (Request, Option<String>)| {
            let bytes = path.as_ref().map_or(0, String::len);
            set(T::provide(store.data_mut()), bytes, |http| http.set_path_with_query(request, path))
        },
    )?;
    types.func_wrap(
        "[method]request.set-scheme",
        |mut store: Store<'_, T>, (request, scheme): (Request, Option<Scheme>)| {
            let bytes = if let Some(Scheme::Other(text)) = &scheme { text.len() } else { 0 };
            set(T::provide(store.data_mut()), bytes, |http| http.set_scheme(request, scheme))
        },
    )?;
    types.func_wrap(
        "[method]request.set-authority",
        |mut store: Store<'_, T>, (request, authority): (Request, Option<String>)| {
            let bytes = authority.as_ref().map_or(0, String::len);
            set(T::provide(store.data_mut()), bytes, |http| http.set_authority(request, authority))
        },
    )
}

/// Runs a setter. It fails if the host may not hold `bytes` more.
fn set(
    mut view: HttpView<'_>,
    bytes: usize,
    set: impl FnOnce(&mut WasiHttpCtxView<'_>) -> wasmtime::Result<Result<(), ()>>,
) -> wasmtime::Result<(Result<(), ()>,)> {
    let mut trap = None;
    let set = |http: &mut WasiHttpCtxView<'_>| {
        set(http).unwrap_or_else(|error| {
            trap = Some(error);
            Err(())
        })
    };
    let result = view.add(bytes, set).unwrap_or(Err(()));
    trap.map_or(Ok((result,)), Err)
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
