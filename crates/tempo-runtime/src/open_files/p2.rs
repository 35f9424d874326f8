//! The functions of WASI 0.2 that open files and sockets.

use tempo_core::StoreData;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Host as _, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode as SocketErrorCode, Host as _, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p2::{SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView as _};

use super::track;
use crate::sockets;

type Store<'a> = StoreContextMut<'a, StoreData>;

/// Replaces the functions in `linker`, which must allow shadowing.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker
        .instance("wasi:filesystem/types@0.2.12")?
        .func_wrap_async("[method]descriptor.open-at", |mut store: Store<'_>, arguments: OpenAt| {
            Box::new(async move { open_at(store.data_mut(), arguments).await })
        })?;
    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap(
        "create-tcp-socket",
        |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            let data = store.data_mut();
            let Some(opening) = data.open_files.open(1) else {
                return Ok((Err(SocketErrorCode::NewSocketLimit),));
            };
            let made = match sockets::state(data).is_ungranted() {
                true => Err(SocketErrorCode::AccessDenied.into()),
                false => data.sockets().create_tcp_socket(family),
            };
            data.sockets.insert(&made, opening);
            socket_result(data, made)
        },
    )?;
    linker.instance("wasi:sockets/udp-create-socket@0.2.12")?.func_wrap_async(
        "create-udp-socket",
        |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let data = store.data_mut();
                let Some(opening) = data.open_files.open(1) else {
                    return Ok((Err(SocketErrorCode::NewSocketLimit),));
                };
                let made = match sockets::state(data).udp_context() {
                    Some(mut ctx) => {
                        let mut host = WasiSocketsCtxView { ctx: &mut ctx, table: &mut data.table };
                        host.create_udp_socket(family).await
                    }
                    None => Err(SocketErrorCode::AccessDenied.into()),
                };
                data.sockets.insert(&made, opening);
                socket_result(data, made)
            })
        },
    )?;
    destructors(linker)
}

type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

async fn open_at(
    data: &mut StoreData,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<(Result<Resource<Descriptor>, ErrorCode>,)> {
    let Some(opening) = data.open_files.open(1) else {
        return Ok((Err(ErrorCode::InsufficientMemory),));
    };
    let opened = data.filesystem().open_at(directory, path_flags, path, open_flags, flags).await;
    track(&data.open_files, &data.table, &opened, opening)?;
    Ok((match opened {
        Ok(descriptor) => Ok(descriptor),
        Err(error) => Err(data.filesystem().convert_error_code(error)?),
    },))
}

fn destructors(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.instance("wasi:sockets/tcp@0.2.12")?.resource(
        "tcp-socket",
        ResourceType::host::<TcpSocket>(),
        |mut store, rep| {
            let base = store.data_mut();
            Ok(base.sockets.drop::<TcpSocket>(&mut base.table, rep)?)
        },
    )?;
    linker.instance("wasi:sockets/udp@0.2.12")?.resource(
        "udp-socket",
        ResourceType::host::<UdpSocket>(),
        |mut store, rep| {
            let base = store.data_mut();
            Ok(base.sockets.drop::<UdpSocket>(&mut base.table, rep)?)
        },
    )
}

fn socket_result<S>(
    data: &mut StoreData,
    made: SocketResult<Resource<S>>,
) -> wasmtime::Result<(Result<Resource<S>, SocketErrorCode>,)> {
    Ok((match made {
        Ok(socket) => Ok(socket),
        Err(error) => Err(data.sockets().convert_error_code(error)?),
    },))
}
