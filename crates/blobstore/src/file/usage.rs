//! Disk usage of a container, for its quota: counted when it is opened, and with every write.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use crate::{Error, ErrorKind, Result};

/// Block size for accounting, in bytes: that of file systems is at most this.
const BLOCK: u64 = 4096;

/// The usage counters of this process, by canonical path.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<DiskUsage>>>> = LazyLock::new(Mutex::default);

/// Disk usage of a file of `length` bytes.
pub(super) fn on_disk(length: u64) -> u64 {
    length.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
}

/// Disk usage of one container. Not counted without a quota.
#[derive(Debug)]
pub(super) struct DiskUsage {
    quota: Option<u64>,
    /// Bytes of all files, uploads included.
    used: Mutex<u64>,
}

impl DiskUsage {
    /// Returns the usage of the container at `path` with files in `directories`: the shared one of this process, or a
    /// newly counted one.
    pub(super) fn open(path: &Path, directories: [&Path; 2], quota: Option<u64>) -> io::Result<Arc<Self>> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, usage| usage.strong_count() > 0);
        let path = path.canonicalize()?;
        if let Some(usage) = open.get(&path).and_then(Weak::upgrade) {
            let problem = || io::Error::new(io::ErrorKind::InvalidInput, "it is open with another quota");
            return if usage.quota == quota { Ok(usage) } else { Err(problem()) };
        }
        let mut used = 0u64;
        for directory in directories.into_iter().filter(|_| quota.is_some()) {
            for entry in fs::read_dir(directory)? {
                // A file that another process has removed meanwhile has no size.
                let length = entry?.metadata().map_or(0, |metadata| metadata.len());
                used = used.saturating_add(on_disk(length));
            }
        }
        let usage = Arc::new(Self { quota, used: Mutex::new(used) });
        open.insert(path, Arc::downgrade(&usage));
        Ok(usage)
    }

    /// Reserves `bytes`, if available.
    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let Some(quota) = self.quota.filter(|_| bytes > 0) else { return Ok(()) };
        let mut used = self.used();
        let sum = used.saturating_add(bytes);
        if sum > quota {
            let problem = format!("the container is full: its quota is {quota} bytes");
            return Err(Error::new(ErrorKind::QuotaExceeded, problem));
        }
        *used = sum;
        Ok(())
    }

    /// Releases `bytes`.
    pub(super) fn give(&self, bytes: u64) {
        if self.quota.is_some() {
            let mut used = self.used();
            *used = used.saturating_sub(bytes);
        }
    }

    /// Runs `work`, which removes the file at `path`, and releases its size.
    pub(super) fn vacate<R>(&self, path: &Path, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        if self.quota.is_none() {
            return work();
        }
        // Hold the lock: concurrent replacements of one object must each release a different file.
        let mut used = self.used();
        let length = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
        let done = work()?;
        *used = used.saturating_sub(on_disk(length));
        Ok(done)
    }

    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
