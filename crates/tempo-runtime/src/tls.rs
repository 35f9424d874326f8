//! `wasi:tls`: TLS over the streams of a guest, under the grants of its sockets.
//!
//! `wasmtime-wasi-tls` implements the interfaces, and asks a [`TlsProvider`](wasmtime_wasi_tls::TlsProvider) for each
//! handshake. [`StoreTls`] is that of one store: it permits the server names that `--allow-socket` grants, ends a handshake
//! that takes too long, and reserves the buffers of a connection in the store's budget.
//!
//! In WASI 0.2 a handshake takes the streams from its socket, which the guest may drop then. Such a handshake, and the
//! connection that results from it, count as one open file (`p2.rs`). In WASI 0.3 the streams stay with the socket. A
//! connector whose handshake has not begun buffers up to 16 KiB, and has an entry in the table of `--max-handles`.

mod authorities;
mod p2;
mod provider;

use tempo_core::StoreData;
use wasmtime::component::Linker;

pub(crate) use authorities::{Authorities, FLAG};
pub(crate) use provider::StoreTls;

use crate::interfaces::Interfaces;

/// The package of WASI 0.2.
pub(crate) const P2_PACKAGE: &str = "wasi:tls@0.2.0-draft";

/// The package of WASI 0.3, which is linked only with concurrency support.
pub(crate) const P3_PACKAGE: &str = "wasi:tls@0.3.0-draft";

/// Returns whether the component imports one of the packages.
pub(crate) fn is_imported(interfaces: &Interfaces) -> bool {
    interfaces.imports.iter().any(|import| import.interface().starts_with("wasi:tls/"))
}

/// Adds the packages to `linker`; that of WASI 0.3 if `concurrent`.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>, concurrent: bool) -> wasmtime::Result<()> {
    p2::add_to_linker(linker)?;
    if concurrent {
        wasmtime_wasi_tls::p3::add_to_linker(linker)?;
    }
    Ok(())
}
