//! Name look-ups over the bindings of WASI 0.2, with the errors that the standard library hides.

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::{ResolveAddressStream, resolve_addresses};
use wasip2::sockets::network::{ErrorCode, IpAddress};

/// Returns the addresses of the name, or the name of the error.
pub(crate) fn resolve(name: &str) -> String {
    let addresses = resolve_addresses(&instance_network(), name).and_then(|lookup| collect(&lookup));
    match addresses {
        Ok(addresses) => format!("{addresses:?}\n"),
        Err(error) => format!("{}\n", error.name()),
    }
}

fn collect(lookup: &ResolveAddressStream) -> Result<Vec<IpAddress>, ErrorCode> {
    let mut addresses = Vec::new();
    loop {
        match lookup.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => lookup.subscribe().block(),
            Err(error) => return Err(error),
        }
    }
}
