//! `wasi:sockets/ip-name-lookup` of WASI 0.2.

use std::net::IpAddr;
use std::vec;

use futures::FutureExt as _;
use tempo_core::StoreData;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{Network, Pollable, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::{LookupError, state};

type Store<'a> = StoreContextMut<'a, StoreData>;

/// Replaces the functions in `linker`, which must allow shadowing.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
        let data = store.data_mut();
        data.table.get(&network)?;
        Ok((match Lookup::begin(data, name) {
            Ok(lookup) => Ok(data.table.push(lookup)?),
            Err(error) => Err(error),
        },))
    })?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (lookup,): (Resource<Lookup>,)| {
            let next: Result<Option<IpAddress>, ErrorCode> = store.data_mut().table.get_mut(&lookup)?.next();
            Ok((next,))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (lookup,): (Resource<Lookup>,)| Ok((subscribe(&mut store.data_mut().table, lookup)?,)),
    )
}

type Addresses = Result<Vec<IpAddr>, LookupError>;

/// A look-up, and the addresses that the guest has not read.
enum Lookup {
    Running(AbortOnDropJoinHandle<Addresses>),
    Answered(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

impl Lookup {
    /// Returns an error at once if the look-up is denied.
    fn begin(data: &mut StoreData, name: String) -> Result<Self, ErrorCode> {
        let mut lookup = Box::pin(state(data).clone().lookup(name));
        match lookup.as_mut().now_or_never() {
            Some(addresses) => answer(addresses).map(|addresses| Self::Answered(Ok(addresses))),
            None => Ok(Self::Running(spawn(lookup))),
        }
    }

    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        if let Self::Running(task) = self {
            *self = Self::Answered(answer(task.now_or_never().ok_or(ErrorCode::WouldBlock)?));
        }
        match self {
            Self::Answered(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Self::Answered(Err(error)) => Err(*error),
            Self::Running(_) => Err(ErrorCode::WouldBlock),
        }
    }
}

fn answer(addresses: Addresses) -> Result<vec::IntoIter<IpAddr>, ErrorCode> {
    addresses.map(Vec::into_iter).map_err(|error| match error {
        LookupError::InvalidName => ErrorCode::InvalidArgument,
        LookupError::Denied => ErrorCode::AccessDenied,
        LookupError::Unresolvable => ErrorCode::NameUnresolvable,
        LookupError::Temporary => ErrorCode::TemporaryResolverFailure,
    })
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Self::Running(task) = self {
            *self = Self::Answered(answer(task.await));
        }
    }
}
