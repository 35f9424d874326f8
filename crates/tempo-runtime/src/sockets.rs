//! Grants of sockets: where a guest may connect, which names it may resolve, and where it may listen.
//!
//! [`SocketGrants`] are the flags of a component. Each store has [`StoreSockets`], which remembers the addresses that the
//! store has resolved. A look-up answers for a granted name only, and only with addresses that are judged as those of an
//! outgoing HTTP request: one that is not public needs a grant of its own. A connection goes to an address that a flag names,
//! or that the store has resolved, and that very address is connected: DNS rebinding gains nothing.
//!
//! `wasmtime-wasi` asks a closure about each use of an address. UDP sockets have a closure each, because a socket that
//! listens receives from any peer and answers it, and other sockets of the store must not. The functions of
//! `wasi:sockets/ip-name-lookup` are replaced: those of `wasmtime-wasi` answer for all names.

mod grant;
mod grants;
mod p2;
mod p3;
mod resolved;
mod store;
mod udp;

use tempo_core::{Provide, Service, StoreData};
use wasmtime::component::{HasData, Linker, ResourceTable};

pub(crate) use grants::{FLAGS, SocketGrants};
pub(crate) use store::{LookupError, StoreSockets};

use std::sync::Arc;

/// Replaces the look-ups of `wasmtime-wasi` in `linker`, which must allow shadowing; those of WASI 0.3 if `concurrent`.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>, concurrent: bool) -> wasmtime::Result<()> {
    p2::add_to_linker(linker)?;
    if concurrent {
        p3::add_to_linker(linker)?;
    }
    Ok(())
}

/// Returns the sockets' state of a store.
pub(crate) fn state(data: &mut StoreData) -> &Arc<StoreSockets> {
    data.service::<WasiSocketGrants>()
}

/// Keys the state of sockets in [`StoreData`]. WASI is linked for every component, so it has no interfaces of its own.
pub(crate) struct WasiSocketGrants;

impl HasData for WasiSocketGrants {
    type Data<'a> = &'a Arc<StoreSockets>;
}

impl Service for WasiSocketGrants {
    const INTERFACES: &'static [&'static str] = &[];
    const PACKAGES: &'static [&'static str] = &[];

    type State = Arc<StoreSockets>;

    fn view<'a>(state: &'a mut Arc<StoreSockets>, _: &'a mut ResourceTable) -> &'a Arc<StoreSockets> {
        state
    }

    fn add_to_linker<T: Provide<Self>>(_: &mut Linker<T>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn link(_: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Ok(())
    }
}
