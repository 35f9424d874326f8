//! `wasi:tls` of WASI 0.2, with limits that `wasmtime-wasi-tls` lacks.

use tempo_core::StoreData;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, IoError};
use wasmtime_wasi_tls::WasiTlsView as _;
use wasmtime_wasi_tls::p2::bindings::types::{HostClientHandshake as _, HostFutureClientStreams as _, LinkOptions};
use wasmtime_wasi_tls::p2::{self, HostClientConnection, HostClientHandshake, HostFutureClientStreams};

use crate::open_files::{Input, Output};

type Store<'a> = StoreContextMut<'a, StoreData>;

/// The result of `future-client-streams.get`.
type Streams = Option<
    Result<
        Result<
            (Resource<HostClientConnection>, Resource<DynInputStream>, Resource<DynOutputStream>),
            Resource<IoError>,
        >,
        (),
    >,
>;

/// Adds the functions of `wasmtime-wasi-tls` to `linker`, and replaces two of them.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    p2::add_to_linker(linker, LinkOptions::default().tls(true))?;
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:tls/types@0.2.0-draft")?;
    types.func_wrap(
        "[constructor]client-handshake",
        |mut store: Store<'_>, (name, input, output): (String, Resource<DynInputStream>, Resource<DynOutputStream>)| {
            Ok((handshake(store.data_mut(), name, input, output)?,))
        },
    )?;
    types.func_wrap(
        "[method]future-client-streams.get",
        |mut store: Store<'_>, (this,): (Resource<HostFutureClientStreams>,)| Ok((streams(store.data_mut(), this)?,)),
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Creates a handshake that counts as an open file, because it takes the streams from their socket. Beyond the limit of open
/// files it closes them, and the handshake fails.
fn handshake(
    data: &mut StoreData,
    name: String,
    input: Resource<DynInputStream>,
    output: Resource<DynOutputStream>,
) -> wasmtime::Result<Resource<HostClientHandshake>> {
    if let Some(file) = data.open_files.open(1) {
        replace(data.table.get_mut(&input)?, Box::new(ClosedInputStream), |inner| {
            Box::new(Input { inner, _held: file })
        });
    } else {
        *data.table.get_mut(&input)? = Box::new(ClosedInputStream);
        *data.table.get_mut(&output)? = Box::new(ClosedOutputStream);
    }
    data.tls().new(name, input, output)
}

/// Returns the streams of a connection. One write to the output must fit into its buffer.
fn streams(data: &mut StoreData, this: Resource<HostFutureClientStreams>) -> wasmtime::Result<Streams> {
    let streams = data.tls().get(this)?;
    if let Some(Ok(Ok((_, _, output)))) = &streams {
        let output = data.table.get_mut(output)?;
        replace(output, Box::new(ClosedOutputStream), |inner| Box::new(Output { inner, _held: () }));
    }
    Ok(streams)
}

/// Wraps `value`. `placeholder` takes its place meanwhile.
fn replace<T>(value: &mut T, placeholder: T, wrap: impl FnOnce(T) -> T) {
    let inner = std::mem::replace(value, placeholder);
    *value = wrap(inner);
}
