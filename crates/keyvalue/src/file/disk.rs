//! What a store asks of the disk, as one thing that a test can let fail.

use std::io;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError};
use tempo_backend::Fault;
use tempo_settings::private;

/// What redb keeps of a file in memory, in bytes. The system keeps the rest as far as it has room.
const CACHE_BYTES: usize = 64 << 20;

/// The disk that a database file is on.
pub(super) trait Disk: Send {
    /// Opens the database at `path`, or creates it for its owner only. One that was not closed is repaired, which reads all
    /// of it.
    fn open(&self, path: &Path) -> Result<Database, DatabaseError>;

    /// Writes `size` bytes beside the database at `path` and removes them.
    fn probe(&self, path: &Path, size: usize) -> io::Result<()>;
}

/// The disk itself.
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
