//! The disk operations of a database file, as a trait so that tests can make them fail.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError};
use tempo_settings::private;

use crate::Fault;

/// The disk below a database file.
pub trait Disk: Debug + Send {
    /// Opens the database at `path`, or creates it with owner-only permissions. Repairs one that was not closed, which
    /// reads the whole file.
    ///
    /// # Errors
    ///
    /// Another process has the file open, or it cannot be opened, or is no database.
    fn open(&self, path: &Path) -> Result<Database, DatabaseError>;

    /// Writes `size` bytes beside the database at `path` and removes them.
    ///
    /// # Errors
    ///
    /// Those of a write of that size.
    fn probe(&self, path: &Path, size: usize) -> io::Result<()>;
}

/// The real disk.
#[derive(Clone, Copy, Debug)]
pub struct SystemDisk {
    cache_bytes: usize,
}

impl SystemDisk {
    /// Creates a disk whose databases have a cache of `cache_bytes`. The page cache of the system keeps the rest.
    pub const fn new(cache_bytes: usize) -> Self {
        Self { cache_bytes }
    }
}

impl Disk for SystemDisk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let file = private::options().read(true).write(true).create(true).truncate(false).open(path)?;
        Database::builder().set_cache_size(self.cache_bytes).create_with_backend(FileBackend::new(file)?)
    }

    fn probe(&self, path: &Path, size: usize) -> io::Result<()> {
        match Fault::probe(path.parent().unwrap_or(Path::new(".")), size) {
            // The user may own the file but not the directory: then only the next write shows it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            probed => probed,
        }
    }
}
