//! `FaultyDisk`: a disk that fails on demand, for tests of database files.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

use crate::database::{Disk, SystemDisk};

/// Size of redb's cache: so small that reads reach the disk.
const CACHE_BYTES: usize = 1 << 16;

/// The operations of a disk that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DiskFailure {
    /// No operation fails.
    None,
    /// Nothing can be written, except over what is there at the start of the file.
    Full,
    /// Written data does not reach the disk.
    Unsynced,
    /// Nothing can be read or written.
    Dead,
}

/// A disk that fails on demand. Clones share the failure.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    failure: Arc<AtomicU8>,
}

impl FaultyDisk {
    /// Makes the following operations fail.
    pub fn set(&self, failure: DiskFailure) {
        self.failure.store(failure as u8, Relaxed);
    }

    fn check(&self, failing: &[DiskFailure]) -> io::Result<()> {
        let failure = self.failure.load(Relaxed);
        match failing.iter().find(|candidate| **candidate as u8 == failure) {
            None => Ok(()),
            Some(DiskFailure::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(io::Error::other("injected")),
        }
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let file = std::fs::File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let backend = FaultyFile { file: FileBackend::new(file)?, disk: self.clone() };
        Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend)
    }

    fn probe(&self, path: &Path, size: usize) -> io::Result<()> {
        self.check(&[DiskFailure::Full, DiskFailure::Unsynced, DiskFailure::Dead])?;
        SystemDisk::new(CACHE_BYTES).probe(path, size)
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: FileBackend,
    disk: FaultyDisk,
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.check(&[DiskFailure::Dead])?;
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.check(&[DiskFailure::Dead])?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.check(&[DiskFailure::Unsynced, DiskFailure::Dead])?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset > 0 {
            self.disk.check(&[DiskFailure::Full])?;
        }
        self.disk.check(&[DiskFailure::Dead])?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
