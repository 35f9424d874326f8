//! Reads a component's file into a mapping of its own. The system gets the memory back when the mapping is dropped, while
//! allocators keep large blocks: a file may have hundreds of megabytes in custom sections.

use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::path::Path;

use memmap2::MmapMut;
use tempo_settings::{Error, ErrorKind};

/// Size of a file, in bytes, from which it gets a mapping. A smaller one is allocated.
const MIN_MAPPED_BYTES: usize = 1 << 20;

/// Maximum size of a file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Maximum size of what has no size of its own, such as a pipe, in bytes: it is allocated while it is read.
const MAX_PIPE_BYTES: u64 = 256 << 20;

/// The bytes of a file. A change of the file does not change them.
pub(crate) enum FileBytes {
    /// A small file, or one without a size, such as a pipe.
    Allocated(Vec<u8>),
    /// An anonymous mapping, and the number of bytes that were read.
    Mapped(MmapMut, usize),
}

impl FileBytes {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the file cannot be read or is too large.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let read = || Self::of(File::open(path)?);
        read().map_err(|error| {
            Error::new(ErrorKind::NotFound, format!("cannot read {}", path.display())).with_source(error)
        })
    }

    fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() > MAX_FILE_BYTES {
            return Err(too_large(MAX_FILE_BYTES));
        }
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if !metadata.is_file() || length < MIN_MAPPED_BYTES {
            let mut bytes = Vec::new();
            // One byte above the maximum reveals an input that is too large.
            file.take(MAX_PIPE_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > MAX_PIPE_BYTES {
                return Err(too_large(MAX_PIPE_BYTES));
            }
            return Ok(Self::Allocated(bytes));
        }
        let mut mapping = MmapMut::map_anon(length)?;
        let mut rest: &mut [u8] = &mut mapping;
        let read = io::copy(&mut file.take(metadata.len()), &mut rest)?;
        Ok(Self::Mapped(mapping, usize::try_from(read).unwrap_or(length)))
    }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} MiB", limit >> 20))
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(mapping, read) => mapping.get(..*read).unwrap_or_default(),
        }
    }
}

impl DerefMut for FileBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped(mapping, read) => mapping.get_mut(..*read).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 1, MIN_MAPPED_BYTES - 1, MIN_MAPPED_BYTES, MIN_MAPPED_BYTES + 1] {
            let content: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            std::fs::write(&path, &content).unwrap();
            let mut bytes = FileBytes::read(&path).unwrap();
            assert!(*bytes == content, "{length}");
            assert_eq!(bytes.deref_mut().len(), length);
            assert_eq!(matches!(bytes, FileBytes::Mapped(..)), length >= MIN_MAPPED_BYTES);
        }
        let error = FileBytes::read(directory.path()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    #[test]
    fn a_file_above_the_maximum_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_FILE_BYTES + 1).unwrap();
        let error = FileBytes::read(file.path()).err().unwrap();
        assert!(format!("{error:#}").ends_with("it has more than 1024 MiB"), "{error:#}");
        #[cfg(unix)]
        assert!(FileBytes::read(Path::new("/dev/zero")).is_err());
    }
}
