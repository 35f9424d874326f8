//! The file functions of WASI 0.2 for which the host allocates buffers.

use tempo_backend::ByteBudget;
use tempo_core::StoreData;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DirectoryEntry, ErrorCode, Filesize, Host as _, HostDescriptor as _,
};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsResult};

use super::buffered::{BUFFER, Input, Listing, Output};

type Store<'a> = StoreContextMut<'a, StoreData>;
type Answer<R> = wasmtime::Result<(Result<R, ErrorCode>,)>;

/// Replaces the functions in `linker`, which must allow shadowing.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    streams(&mut types)?;
    listings(&mut types)
}

type At = (Resource<Descriptor>, Filesize);

fn streams(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    types.func_wrap("[method]descriptor.read-via-stream", |mut store: Store<'_>, (file, offset): At| {
        let data = store.data_mut();
        let Ok(buffer) = data.bytes.hold(BUFFER) else {
            return Ok((Err(ErrorCode::InsufficientMemory),));
        };
        let made: FsResult<Resource<DynInputStream>> = data.filesystem().read_via_stream(file, offset);
        if let Ok(made) = &made {
            let stream = data.table.get_mut(made)?;
            let inner = std::mem::replace(stream, Box::new(ClosedInputStream));
            *stream = Box::new(Input { inner, _held: buffer });
        }
        answer(data, made)
    })?;
    types.func_wrap("[method]descriptor.write-via-stream", |mut store: Store<'_>, (file, offset): At| {
        output(store.data_mut(), |data| data.filesystem().write_via_stream(file, offset))
    })?;
    types.func_wrap("[method]descriptor.append-via-stream", |mut store: Store<'_>, (file,): (Resource<Descriptor>,)| {
        output(store.data_mut(), |data| data.filesystem().append_via_stream(file))
    })
}

fn output(
    data: &mut StoreData,
    make: impl FnOnce(&mut StoreData) -> FsResult<Resource<DynOutputStream>>,
) -> Answer<Resource<DynOutputStream>> {
    let Ok(buffer) = data.bytes.hold(BUFFER) else {
        return Ok((Err(ErrorCode::InsufficientMemory),));
    };
    let made = make(data);
    if let Ok(made) = &made {
        let stream = data.table.get_mut(made)?;
        let inner = std::mem::replace(stream, Box::new(ClosedOutputStream));
        *stream = Box::new(Output { inner, _held: buffer });
    }
    answer(data, made)
}

fn listings(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    types.resource("directory-entry-stream", ResourceType::host::<Listing>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Listing>::new_own(rep))?;
        Ok(())
    })?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: Store<'_>, (directory,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let data = store.data_mut();
                let listed = data.filesystem().read_directory(directory).await;
                let listed = listed.and_then(|entries| listing(&mut data.table, &data.bytes, entries));
                answer(data, listed)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: Store<'_>, (listing,): (Resource<Listing>,)| {
            Box::new(async move {
                let data = store.data_mut();
                let entry: FsResult<Option<DirectoryEntry>> = data.table.get_mut(&listing)?.next();
                answer(data, entry)
            })
        },
    )
}

/// Replaces a listing of `wasmtime-wasi` by a [`Listing`].
fn listing(
    table: &mut ResourceTable,
    budget: &ByteBudget,
    entries: Resource<wasmtime_wasi::p2::ReaddirIterator>,
) -> FsResult<Resource<Listing>> {
    let entries = table.delete(entries)?;
    let listing = Listing::new(entries, budget).map_err(|_| ErrorCode::InsufficientMemory)?;
    Ok(table.push(listing)?)
}

fn answer<R>(data: &mut StoreData, result: FsResult<R>) -> Answer<R> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(data.filesystem().convert_error_code(error)?),
    },))
}
