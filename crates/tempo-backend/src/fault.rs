//! `Fault`: reports a store on disk that cannot be written as not ready.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempo_settings::private;
use tempo_telemetry::Health;

/// Maximum size of a probe, in bytes.
const MAX_PROBE_BYTES: usize = 1 << 20;

/// The write fault of a store, raised or clear. Cheap to clone; clones share the state.
#[derive(Clone, Debug)]
pub struct Fault {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    store: String,
    cause: Mutex<Option<String>>,
}

impl Fault {
    /// Creates a clear fault. `store` is the name of the store in logs and in [`Fault::reason`].
    pub fn new(store: impl Into<String>) -> Self {
        Self { state: Arc::new(State { store: store.into(), cause: Mutex::new(None) }) }
    }

    /// Registers a readiness check with `health`: the runtime is not ready while the fault is raised. The check ends when `store` is
    /// dropped.
    pub fn register<S: Send + Sync + 'static>(&self, health: &Health, store: &Arc<S>) {
        let fault = self.clone();
        health.add_readiness_check(store, move |_| fault.reason());
    }

    /// Raises the fault after a failed write. Logs it unless it is raised already.
    pub fn raise(&self, cause: &dyn std::fmt::Display) {
        let mut current = self.cause();
        if current.is_none() {
            tracing::error!(store = self.state.store, %cause, "a store cannot be written");
        }
        *current = Some(cause.to_string());
    }

    /// Clears the fault after a successful write.
    pub fn clear(&self) {
        if self.cause().take().is_some() {
            tracing::info!(store = self.state.store, "a store can be written again");
        }
    }

    /// Returns whether the last write failed.
    pub fn is_raised(&self) -> bool {
        self.cause().is_some()
    }

    /// Returns the reason for the readiness check in one line, or `None` if the fault is clear.
    pub fn reason(&self) -> Option<String> {
        self.cause().as_ref().map(|cause| format!("{} cannot be written: {cause}", self.state.store))
    }

    /// Checks whether `directory` has space again: writes `size` bytes, at least 4 KiB and at most 1 MiB, to a new file, syncs
    /// it and removes it. Blocks.
    ///
    /// # Errors
    ///
    /// Those of a write of that size.
    pub fn probe(directory: &Path, size: usize) -> io::Result<()> {
        let path = directory.join(format!(".tempo-probe-{}", std::process::id()));
        let write = |mut file: File| {
            let block = [0x55; 4096];
            for _ in 0..size.clamp(block.len(), MAX_PROBE_BYTES).div_ceil(block.len()) {
                file.write_all(&block)?;
            }
            file.sync_all()
        };
        // Removes the file of an earlier process with the same id; `create_new` below refuses to follow a link.
        let _ = fs::remove_file(&path);
        let written = private::options().write(true).create_new(true).open(&path).and_then(write);
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    fn cause(&self) -> MutexGuard<'_, Option<String>> {
        self.state.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempo_telemetry::RuntimePhase;

    #[test]
    fn the_runtime_is_not_ready_while_the_fault_is_raised() {
        let (health, fault) = (Health::default(), Fault::new("keyvalue: app.redb"));
        health.enter(RuntimePhase::Ready);
        let store = Arc::new(());
        fault.register(&health, &store);
        assert_eq!(health.not_ready(), None);
        fault.raise(&"no room");
        assert_eq!(health.not_ready().as_deref(), Some("keyvalue: app.redb cannot be written: no room"));
        fault.clone().clear();
        assert!(!fault.is_raised());
        assert_eq!(health.not_ready(), None);
        fault.raise(&"no room");
        drop(store);
        assert_eq!(health.not_ready(), None, "the store is gone");
    }

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        Fault::probe(folder.path(), 10_000).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Fault::probe(&folder.path().join("missing"), 1).is_err());
    }
}
