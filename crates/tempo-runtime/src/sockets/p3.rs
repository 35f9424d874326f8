//! `wasi:sockets/ip-name-lookup` of WASI 0.3.

use tempo_core::StoreData;
use wasmtime::component::{Accessor, Linker};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::ErrorCode;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress;

use super::{LookupError, state};

/// Replaces the function in `linker`, which must allow shadowing.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?.func_wrap_concurrent(
        "resolve-addresses",
        |accessor: &Accessor<StoreData>, (name,): (String,)| {
            Box::pin(async move {
                let sockets = accessor.with(|mut store| state(store.data_mut()).clone());
                let addresses = sockets.lookup(name).await.map_err(error_code);
                Ok((addresses.map(|addresses| addresses.into_iter().map(IpAddress::from).collect::<Vec<_>>()),))
            })
        },
    )
}

fn error_code(error: LookupError) -> ErrorCode {
    match error {
        LookupError::InvalidName => ErrorCode::InvalidArgument,
        LookupError::Denied => ErrorCode::AccessDenied,
        LookupError::Unresolvable => ErrorCode::NameUnresolvable,
        LookupError::Temporary => ErrorCode::TemporaryResolverFailure,
    }
}
