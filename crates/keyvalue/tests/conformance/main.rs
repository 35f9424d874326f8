//! The conformance checks and the model-based tests of the embedded stores, as named trials: `keyvalue::file::keys_are_opaque`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libtest_mimic::{Arguments, Trial};
use tempo_keyvalue::testkit::{Capabilities, trials};
use tempo_keyvalue::{FileStore, KeyValueStore, MemoryStore};

fn memory() -> Vec<Trial> {
    let open = || async { Ok(Arc::new(MemoryStore::default()) as Arc<dyn KeyValueStore>) };
    trials("keyvalue::memory", open, &Capabilities::ALL)
}

fn file() -> anyhow::Result<Vec<Trial>> {
    let folder = tempfile::tempdir()?;
    let count = AtomicU64::new(0);
    let open = move || {
        let path = folder.path().join(format!("{}.redb", count.fetch_add(1, Relaxed)));
        async move { Ok(Arc::new(FileStore::open(&path).await?) as Arc<dyn KeyValueStore>) }
    };
    Ok(trials("keyvalue::file", open, &Capabilities::ALL))
}

fn main() -> anyhow::Result<ExitCode> {
    let trials = [memory(), file()?, model::trials()].into_iter().flatten().collect();
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}
