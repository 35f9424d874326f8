//! The functions of WASI 0.3 that open files and sockets, and those that create streams, which may outlive their socket or
//! directory.

use std::iter::empty;
use std::sync::Arc;

use tempo_backend::Reservation;
use tempo_core::StoreData;
use wasmtime::component::{
    Access, Accessor, FutureReader, Linker, LinkerInstance, Resource, ResourceType, StreamReader,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, DirectoryEntry, ErrorCode, Host as _, HostDescriptorWithStore, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::bindings::sockets::types::{
    ErrorCode as SocketErrorCode, Host as _, HostTcpSocket, HostTcpSocketWithStore, HostUdpSocket,
    HostUdpSocketWithStore, IpAddressFamily, IpSocketAddress,
};
use wasmtime_wasi::p3::sockets::SocketResult;
use wasmtime_wasi::sockets::{TcpSocket, UdpSocket, WasiSockets, WasiSocketsCtxView, WasiSocketsView};

use super::{relay, track};
use crate::sockets;

/// Open files of a listing: two descriptors that its thread opens, and one that detects the end of the thread.
const FILES_OF_LISTING: usize = 3;

/// Maximum size of a datagram, in bytes.
const MAX_DATAGRAM: usize = 64 << 10;

type Store<'a> = StoreContextMut<'a, StoreData>;

/// Replaces the functions in `linker`, which must allow shadowing.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    let mut files = linker.instance("wasi:filesystem/types@0.3.0")?;
    files.func_wrap_concurrent("[method]descriptor.open-at", |accessor: &Accessor<StoreData>, arguments: OpenAt| {
        Box::pin(open_at(accessor, arguments))
    })?;
    files.func_wrap("[method]descriptor.read-directory", |store: Store<'_>, (directory,)| {
        Ok((read_directory(store, directory)?,))
    })?;
    let mut sockets = linker.instance("wasi:sockets/types@0.3.0")?;
    creation(&mut sockets)?;
    streams(&mut sockets)?;
    datagrams(&mut sockets)?;
    destructors(&mut sockets)
}

type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

async fn open_at(
    accessor: &Accessor<StoreData>,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<(Result<Resource<Descriptor>, ErrorCode>,)> {
    let Some(opening) = accessor.with(|mut store| store.data_mut().open_files.open(1)) else {
        return Ok((Err(ErrorCode::InsufficientMemory),));
    };
    let host = accessor.with_getter::<WasiFilesystem>(StoreData::filesystem);
    let opened = WasiFilesystem::open_at(&host, directory, path_flags, path, open_flags, flags).await;
    accessor.with(|mut store| {
        let data = store.data_mut();
        track(&data.open_files, &data.table, &opened, opening)?;
        Ok((match opened {
            Ok(descriptor) => Ok(descriptor),
            Err(error) => Err(data.filesystem().convert_error_code(error)?),
        },))
    })
}

type Listing = (StreamReader<DirectoryEntry>, FutureReader<Result<(), ErrorCode>>);

/// The thread of a listing may outlive its stream, and references the directory until it ends. It gets a descriptor of its
/// own, which counts until then.
fn read_directory(mut store: Store<'_>, directory: Resource<Descriptor>) -> wasmtime::Result<Listing> {
    let base = store.data_mut();
    let list = |store: Store<'_>, directory| {
        WasiFilesystem::read_directory(
            Access::<StoreData, WasiFilesystem>::new(store, StoreData::filesystem),
            directory,
        )
    };
    let borrowed = Resource::new_borrow(directory.rep());
    let Descriptor::Dir(listed) = base.table.get(&borrowed)? else {
        return list(store, directory);
    };
    let Some(_opening) = base.open_files.open(FILES_OF_LISTING) else {
        return no_listing(store, ErrorCode::InsufficientMemory);
    };
    let Ok(own) = listed.dir.try_clone() else {
        return no_listing(store, ErrorCode::Io);
    };
    let own = Arc::new(own);
    base.open_files.track(&own, FILES_OF_LISTING);
    let mut directory_of_thread = listed.clone();
    directory_of_thread.dir = own;
    let kept = std::mem::replace(base.table.get_mut(&borrowed)?, Descriptor::Dir(directory_of_thread));
    let listing = list(store.as_context_mut(), directory);
    *store.data_mut().table.get_mut(&borrowed)? = kept;
    listing
}

fn no_listing(mut store: Store<'_>, error: ErrorCode) -> wasmtime::Result<Listing> {
    let entries = StreamReader::new(&mut store, empty())?;
    let result = FutureReader::new(&mut store, async move { wasmtime::error::Ok(Err(error)) })?;
    Ok((entries, result))
}

fn creation(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    types.func_wrap("[static]tcp-socket.create", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
        let data = store.data_mut();
        let Some(opening) = data.open_files.open(1) else {
            return Ok((Err(SocketErrorCode::OutOfMemory),));
        };
        let made: SocketResult<Resource<TcpSocket>> = match sockets::state(data).is_ungranted() {
            true => Err(SocketErrorCode::AccessDenied.into()),
            false => HostTcpSocket::create(&mut data.sockets(), family),
        };
        data.sockets.insert(&made, opening);
        socket_result(data, made)
    })?;
    types.func_wrap_async("[static]udp-socket.create", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
        Box::new(async move {
            let data = store.data_mut();
            let Some(opening) = data.open_files.open(1) else {
                return Ok((Err(SocketErrorCode::OutOfMemory),));
            };
            let made: SocketResult<Resource<UdpSocket>> = match sockets::state(data).udp_context() {
                Some(mut ctx) => {
                    let mut host = WasiSocketsCtxView { ctx: &mut ctx, table: &mut data.table };
                    HostUdpSocket::create(&mut host, family).await
                }
                None => Err(SocketErrorCode::AccessDenied.into()),
            };
            data.sockets.insert(&made, opening);
            socket_result(data, made)
        })
    })
}

fn streams(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]tcp-socket.send",
        |mut store: Store<'_>, (socket, data): (Resource<TcpSocket>, StreamReader<u8>)| {
            let open = store.data_mut().sockets.get(socket.rep());
            let host = Access::<StoreData, WasiSockets>::new(store.as_context_mut(), StoreData::sockets);
            let result = <WasiSockets as HostTcpSocketWithStore<StoreData>>::send(host, socket, data)?;
            Ok((relay::until_ended(store, result, open)?,))
        },
    )?;
    types.func_wrap("[method]tcp-socket.receive", |mut store: Store<'_>, (socket,): (Resource<TcpSocket>,)| {
        let open = store.data_mut().sockets.get(socket.rep());
        let host = Access::<StoreData, WasiSockets>::new(store.as_context_mut(), StoreData::sockets);
        let (data, result) = <WasiSockets as HostTcpSocketWithStore<StoreData>>::receive(host, socket)?;
        Ok(((data, relay::until_ended(store, result, open)?),))
    })
}

/// Reserves the datagram of each waiting call: a guest may have many such calls on one socket.
fn datagrams(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    type Sent = (Resource<UdpSocket>, Vec<u8>, Option<IpSocketAddress>);
    types.func_wrap_concurrent(
        "[method]udp-socket.send",
        |accessor: &Accessor<StoreData>, (socket, datagram, address): Sent| {
            Box::pin(async move {
                let Some(_held) = hold(accessor, datagram.len().min(MAX_DATAGRAM)) else {
                    return Ok((Err(SocketErrorCode::OutOfMemory),));
                };
                let host = accessor.with_getter::<WasiSockets>(StoreData::sockets);
                let sent =
                    <WasiSockets as HostUdpSocketWithStore<StoreData>>::send(&host, socket, datagram, address).await;
                accessor.with(|mut store| socket_result(store.data_mut(), sent))
            })
        },
    )?;
    types.func_wrap_concurrent(
        "[method]udp-socket.receive",
        |accessor: &Accessor<StoreData>, (socket,): (Resource<UdpSocket>,)| {
            Box::pin(async move {
                let Some(_held) = hold(accessor, MAX_DATAGRAM) else {
                    return Ok((Err(SocketErrorCode::OutOfMemory),));
                };
                let host = accessor.with_getter::<WasiSockets>(StoreData::sockets);
                let received = <WasiSockets as HostUdpSocketWithStore<StoreData>>::receive(&host, socket).await;
                accessor.with(|mut store| socket_result(store.data_mut(), received))
            })
        },
    )
}

fn hold(accessor: &Accessor<StoreData>, bytes: usize) -> Option<Reservation> {
    accessor.with(|mut store| store.data_mut().bytes.hold(bytes).ok())
}

fn destructors(types: &mut LinkerInstance<'_, StoreData>) -> wasmtime::Result<()> {
    types.resource("tcp-socket", ResourceType::host::<TcpSocket>(), |mut store, rep| {
        let base = store.data_mut();
        Ok(base.sockets.drop::<TcpSocket>(&mut base.table, rep)?)
    })?;
    types.resource("udp-socket", ResourceType::host::<UdpSocket>(), |mut store, rep| {
        let base = store.data_mut();
        Ok(base.sockets.drop::<UdpSocket>(&mut base.table, rep)?)
    })
}

fn socket_result<R>(data: &mut StoreData, result: SocketResult<R>) -> wasmtime::Result<(Result<R, SocketErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(data.sockets().convert_error_code(error)?),
    },))
}
