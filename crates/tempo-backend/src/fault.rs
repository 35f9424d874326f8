//! A storage fault: that a store on this machine's disk cannot be written for now, as readiness shows it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempo_settings::private;
use tempo_telemetry::Health;

/// The most that a probe writes, in bytes.
const MAX_PROBE: usize = 1 << 20;

/// Whether a store can be written. Cheap to clone; all clones are the same.
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
    /// No fault yet of `store`, which is what [`Fault::reason`] calls it.
    pub fn new(store: impl Into<String>) -> Self {
        Self { state: Arc::new(State { store: store.into(), cause: Mutex::new(None) }) }
    }

    /// Has `health` say for as long as the fault lasts that the runtime is not ready.
    pub fn show(&self, health: &Health) {
        let fault = self.clone();
        health.add_readiness_check(move || fault.reason());
    }

    /// Takes note that a write failed because of `cause`, and logs it unless the store was at fault already.
    pub fn raise(&self, cause: &dyn std::fmt::Display) {
        let mut known = self.cause();
        if known.is_none() {
            tracing::error!(store = self.state.store, %cause, "a store cannot be written");
        }
        *known = Some(cause.to_string());
    }

    /// Takes note that a write succeeded.
    pub fn clear(&self) {
        if self.cause().take().is_some() {
            tracing::info!(store = self.state.store, "a store can be written again");
        }
    }

    /// Whether the last write failed.
    pub fn is_raised(&self) -> bool {
        self.cause().is_some()
    }

    /// Why the store cannot be written, in a line; nothing if it can.
    pub fn reason(&self) -> Option<String> {
        self.cause().as_ref().map(|cause| format!("{} cannot be written: {cause}", self.state.store))
    }

    /// Writes `size` bytes, at least 4 KiB and at most 1 MiB, to a new file in `directory`, puts them on the disk and
    /// removes the file: whether there is room again, whatever made it scarce. Blocks.
    ///
    /// # Errors
    ///
    /// What a write of that size would meet.
    pub fn probe(directory: &Path, size: usize) -> io::Result<()> {
        let path = directory.join(format!(".tempo-probe-{}", std::process::id()));
        let write = |mut file: File| {
            let block = [0x55; 4096];
            for _ in 0..size.clamp(block.len(), MAX_PROBE).div_ceil(block.len()) {
                file.write_all(&block)?;
            }
            file.sync_all()
        };
        // What a process of the same id left behind may be there, but it is no link to anything else.
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
    fn readiness_says_it_for_as_long_as_it_lasts() {
        let (health, fault) = (Health::default(), Fault::new("keyvalue: app.redb"));
        health.enter(RuntimePhase::Ready);
        fault.show(&health);
        assert_eq!(health.not_ready(), None);
        fault.raise(&"no room");
        assert_eq!(health.not_ready().as_deref(), Some("keyvalue: app.redb cannot be written: no room"));
        fault.clone().clear();
        assert!(!fault.is_raised());
        assert_eq!(health.not_ready(), None);
    }

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        Fault::probe(folder.path(), 10_000).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Fault::probe(&folder.path().join("missing"), 1).is_err());
    }
}
