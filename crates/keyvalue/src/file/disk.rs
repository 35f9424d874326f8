//! The disk operations of a store, as a trait so that tests can make them fail.

use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError};
use tempo_backend::Fault;
use tempo_settings::private;

/// Size of redb's cache. The page cache keeps the rest.
const CACHE_BYTES: usize = 64 << 20;

/// The disk below a database file.
pub(super) trait Disk: Send {
    /// Opens the database at `path`, or creates it for its owner only. One that was not closed is repaired, which reads all
    /// of it.
    fn open(&self, path: &Path) -> Result<Database, DatabaseError>;

    /// Writes `size` bytes beside the database at `path` and removes them.
    fn probe(&self, path: &Path, size: usize) -> io::Result<()>;
}

/// The real disk.
pub(super) struct System;

impl Disk for System {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let file = private::options().read(true).write(true).create(true).truncate(false).open(path)?;
        Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(FileBackend::new(file)?)
    }

    fn probe(&self, path: &Path, size: usize) -> io::Result<()> {
        match Fault::probe(path.parent().unwrap_or(Path::new(".")), size) {
            // The file may be the user's where the directory is not: then only the next write shows it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            probed => probed,
        }
    }
}
