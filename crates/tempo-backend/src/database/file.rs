//! `DatabaseFile`: the file that a writer thread owns.

use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError};

use super::Disk;
use crate::Fault;

/// The path of a database with its disk and its write fault.
#[derive(Debug)]
pub struct DatabaseFile {
    disk: Box<dyn Disk>,
    path: PathBuf,
    fault: Fault,
}

impl DatabaseFile {
    pub(super) fn new(disk: Box<dyn Disk>, path: PathBuf, service: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fault = Fault::new(format!("{service}: {name}"));
        Self { disk, path, fault }
    }

    /// Opens the database again, after the one before was dropped.
    ///
    /// # Errors
    ///
    /// Those of [`Disk::open`].
    pub fn open(&self) -> Result<Database, DatabaseError> {
        self.disk.open(&self.path)
    }

    /// Checks whether the disk has space for `size` bytes again.
    ///
    /// # Errors
    ///
    /// Those of [`Disk::probe`].
    pub fn probe(&self, size: usize) -> io::Result<()> {
        self.disk.probe(&self.path, size)
    }

    /// Returns the canonical path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the write fault, which the writer raises and clears.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}
