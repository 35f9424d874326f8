//! Bounds the files, directories and sockets that a store has open: functions of WASI in place of those of
//! `wasmtime-wasi`, which have no such limit and no hook for one.
//!
//! What is counted:
//!
//! - A file or directory from `open-at`, until its last reference has gone. Descriptors, the streams of WASI 0.2 and 0.3 and
//!   calls under way all refer to one `Arc`, so a stream that outlives its descriptor counts, and no more than once with it.
//! - A socket, until its resource has been dropped, and in WASI 0.3 until the streams of its connection have ended, which may
//!   outlive it. In WASI 0.2 streams are children of their socket and never do.
//! - A listing of a directory in WASI 0.3, as three, until it ends: its thread has two descriptors of its own, and one is
//!   made here to notice when the thread has ended.
//!
//! What is not:
//!
//! - Directories that are granted: each store has those once, and descriptors of them are references.
//! - Connections that are accepted: no address may be listened on (`grants.rs`).
//! - What a call opens only while it runs, such as the directories on the way of a path, or all of a listing in WASI 0.2: it
//!   has a thread for blocking work meanwhile, of which the runtime has a bounded number. This includes what `open-at` has
//!   opened when the guest cancels it.
//!
//! What the host buffers for them is bounded too:
//!
//! - A stream of a file over WASI 0.2 reserves its buffer of 64 KiB in the store's budget, and a listing its entries. No more
//!   may be written at once than the buffer takes.
//! - A socket over WASI 0.2 has 64 KiB for what is received and as much for what is sent: 32 MiB at the default of 256.
//! - Datagrams over WASI 0.3 that are received or sent are reserved in the budget while a call waits.
//! - A stream of a file over WASI 0.3 has 64 KiB and six entries in the store's table of concurrent things. At the default of
//!   `--max-handles` that is 43 MiB at most.
//!
//! The limit is reported with the error that is nearest. `new-socket-limit` of WASI 0.2 is it exactly. WASI 0.3 has
//! `out-of-memory` for sockets, and both versions have `insufficient-memory` for files: the other candidate, `quota`, is about
//! storage.

mod buffered;
mod p2;
mod p2_files;
mod p3;
mod relay;

use tempo_core::{OpenFile, OpenFiles, StoreData};
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::Descriptor;

/// Replaces functions in `linker`, which has those of `wasmtime-wasi`; those of WASI 0.3 if it is linked.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>, concurrent: bool) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    p2::add_to_linker(linker)?;
    p2_files::add_to_linker(linker)?;
    if concurrent {
        p3::add_to_linker(linker)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// Counts what has been opened at `place` for as long as anything refers to it.
fn follow<E>(
    files: &mut OpenFiles,
    table: &ResourceTable,
    opened: &Result<Resource<Descriptor>, E>,
    place: OpenFile,
) -> Result<(), ResourceTableError> {
    if let Ok(descriptor) = opened {
        match table.get(descriptor)? {
            Descriptor::File(file) => files.track(&file.file, 1),
            Descriptor::Dir(directory) => files.track(&directory.dir, 1),
        }
    }
    drop(place);
    Ok(())
}
