//! The conformance checks and the model-based tests of the embedded containers, as named trials:
//! `blobstore::file::ranges_are_read`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod model;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libtest_mimic::{Arguments, Trial};
use tempo_blobstore::testkit::{Capabilities, trials};
use tempo_blobstore::{Container, File, Memory};

fn memory() -> Vec<Trial> {
    let open = || async { Ok(Arc::new(Memory::default()) as Arc<dyn Container>) };
    trials("blobstore::memory", open, &Capabilities::ALL)
}

fn file() -> anyhow::Result<Vec<Trial>> {
    let folder = tempfile::tempdir()?;
    let count = AtomicU64::new(0);
    let open = move || {
        let path = folder.path().join(count.fetch_add(1, Relaxed).to_string());
        async move { Ok(Arc::new(File::open(&path)?) as Arc<dyn Container>) }
    };
    Ok(trials("blobstore::file", open, &Capabilities::ALL))
}

fn main() -> anyhow::Result<ExitCode> {
    let trials = [memory(), file()?, model::trials()].into_iter().flatten().collect();
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}
