//! Database files of redb: opened once per process, written by a thread of their own, and reopened after a disk failure.
//!
//! A module of this crate rather than a crate of its own: it needs [`Fault`], and both are for backends only. The feature
//! `redb` keeps it out of the crates that store nothing.

mod disk;
mod file;
mod format;
mod group;
mod open;
mod thread;

pub use disk::{Disk, SystemDisk};
pub use file::DatabaseFile;
pub use format::prepare;
pub use group::{MAX_COMMIT_BYTES, MAX_QUEUED_REQUESTS, group};
pub use open::Databases;
pub use thread::WriterThread;

use std::time::{Duration, Instant};

use redb::Error;

#[cfg(doc)]
use crate::Fault;

/// Minimum pause between attempts to write to a failed disk.
const MIN_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The pause is this multiple of the previous attempt's duration: a repair reads the whole file.
const RETRY_PAUSE_FACTOR: u32 = 4;

/// Returns the pause before the next attempt to write, after one that began at `begun` and failed.
pub fn retry_pause(begun: Instant) -> Duration {
    begun.elapsed().saturating_mul(RETRY_PAUSE_FACTOR).max(MIN_RETRY_PAUSE)
}

/// True if the disk failed, and not the content of the database: the file can be opened again.
pub fn is_disk_failure(error: &Error) -> bool {
    matches!(error, Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed)
}

#[cfg(test)]
mod tests;
