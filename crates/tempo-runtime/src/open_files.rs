//! Limits the open files, directories and sockets of a store. Replaces functions of `wasmtime-wasi`, which has no such limit
//! and no hook for one.
//!
//! Counted:
//!
//! - A file or directory from `open-at`, until its last reference is dropped. Descriptors, the streams of WASI 0.2 and 0.3 and
//!   running calls share one `Arc`, so a stream that outlives its descriptor counts, but not in addition to it.
//! - A socket, until its resource is dropped, and in WASI 0.3 until the streams of its connection have ended, which may
//!   outlive it. In WASI 0.2, streams are children of their socket and outlive it only if a TLS handshake takes them
//!   (`crates/tempo-runtime/src/tls/p2.rs`). An accepted connection counts as one
//!   socket; beyond the limit, the host resets it.
//! - A listing of a directory in WASI 0.3, as three, until it ends: its thread opens two descriptors, and this module opens one
//!   to detect the end of the thread.
//!
//! Not counted:
//!
//! - Preopened directories: each store has them once, and their descriptors are references.
//! - One connection for each listening socket that has been accepted before the guest asks for it.
//! - Files that a call opens only while it runs, such as the directories of a path, or a listing in WASI 0.2: the call occupies
//!   a blocking thread, and the runtime has a bounded number of those. This includes files that `open-at` has opened when the
//!   guest cancels it.
//!
//! Buffers of the host are bounded too:
//!
//! - A file stream of WASI 0.2 reserves its buffer of 64 KiB in the store's budget, and a listing its entries. One write must
//!   fit into the buffer.
//! - A socket of WASI 0.2 has a receive and a send buffer of 64 KiB each: 32 MiB at the default limit of 256.
//! - A datagram of WASI 0.3 is reserved in the budget while its call waits.
//! - A file stream of WASI 0.3 has 64 KiB and six entries in the store's concurrent table: at most 43 MiB at the default of
//!   `--max-handles`.
//!
//! The guest gets the nearest error code: `new-socket-limit` for sockets of WASI 0.2, `out-of-memory` for sockets of WASI 0.3,
//! and `insufficient-memory` for files in both, as `quota` is about storage.

mod buffered;
mod p2;
mod p2_files;
mod p3;
mod relay;

pub(crate) use buffered::{Input, Output};

use tempo_core::{OpenFile, OpenFiles, StoreData};
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::Descriptor;

/// Replaces functions of `wasmtime-wasi` in `linker`, which must allow shadowing; those of WASI 0.3 if `concurrent`.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>, concurrent: bool) -> wasmtime::Result<()> {
    p2::add_to_linker(linker)?;
    p2_files::add_to_linker(linker)?;
    if concurrent {
        p3::add_to_linker(linker)?;
    }
    Ok(())
}

/// Counts an opened descriptor until its last reference is dropped. `opening` is the count while it was being opened.
fn track<E>(
    files: &OpenFiles,
    table: &ResourceTable,
    opened: &Result<Resource<Descriptor>, E>,
    opening: OpenFile,
) -> Result<(), ResourceTableError> {
    if let Ok(descriptor) = opened {
        match table.get(descriptor)? {
            Descriptor::File(file) => files.track(&file.file, 1),
            Descriptor::Dir(directory) => files.track(&directory.dir, 1),
        }
    }
    drop(opening);
    Ok(())
}
