//! The files of the cache: their names, their number and size, and how they are written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempo_settings::private;

use crate::output::create_beside;

/// Maximum size of all files, in bytes, and their maximum number. The files that were used the longest time ago make room.
const MAX_BYTES: u64 = 1 << 30;
const MAX_FILES: usize = 500;
/// Maximum size of a file, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = MAX_BYTES / 2;

/// Returns whether `name` is that of a file of the cache, or of one that is being written.
fn is_entry(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    let (digest, rest) = name.split_at_checked(64).unwrap_or((name, "-"));
    digest.bytes().all(|byte| byte.is_ascii_hexdigit()) && (rest.is_empty() || rest.ends_with(".tmp"))
}

/// Returns the size above which a write to a file ends the process.
pub(super) fn file_size_limit() -> u64 {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// Records that the file is used.
pub(super) fn touch(path: &Path) {
    // Only the order in which files make room depends on it.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes the files that were used the longest time ago, until there is room for one of `length` bytes. Other processes may do the
/// same.
pub(super) fn make_room(directory: &Path, length: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Another process may have removed it.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && is_entry(&entry.file_name().to_string_lossy()) {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    files.sort();
    let mut bytes = files.iter().map(|(_, length, _)| length).fold(length, |sum, length| sum.saturating_add(*length));
    let mut count = files.len();
    for (_, length, path) in files {
        if bytes <= MAX_BYTES && count < MAX_FILES {
            break;
        }
        let _ = fs::remove_file(path);
        bytes = bytes.saturating_sub(length);
        count = count.saturating_sub(1);
    }
    Ok(())
}

/// Writes a temporary file and renames it, so that no process reads a part of it.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (temporary, mut file) = create_beside(path, private::options().write(true))?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(directory: &Path, number: usize) -> PathBuf {
        directory.join(format!("{number:064x}"))
    }

    /// Writes files of one byte, the oldest first.
    fn write(directory: &Path, numbers: impl Iterator<Item = usize>) {
        for number in numbers {
            let file = File::create(entry(directory, number)).unwrap();
            file.set_len(1).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64)).unwrap();
        }
    }

    fn exist(directory: &Path, numbers: &[usize]) -> Vec<bool> {
        numbers.iter().map(|number| entry(directory, *number).exists()).collect()
    }

    #[test]
    fn the_oldest_files_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        // Files of others are neither counted nor removed.
        fs::write(path.join("thesis"), vec![0; 4]).unwrap();
        write(path, 0..MAX_FILES - 1);
        make_room(path, 1).unwrap();
        assert_eq!(exist(path, &[0, 1]), [true, true], "there is room for one more");
        write(path, MAX_FILES - 1..MAX_FILES);
        make_room(path, 1).unwrap();
        assert_eq!(exist(path, &[0, 1]), [false, true]);
        make_room(path, MAX_BYTES - 3).unwrap();
        assert_eq!(exist(path, &[MAX_FILES - 4, MAX_FILES - 3]), [false, true]);
        assert_eq!(fs::read_dir(path).unwrap().count(), 4);
    }

    #[test]
    fn files_that_are_being_written_count() {
        let directory = tempfile::tempdir().unwrap();
        let (temporary, _) = create_beside(&entry(directory.path(), 1), File::options().write(true)).unwrap();
        assert!(is_entry(&temporary.file_name().unwrap().to_string_lossy()), "{}", temporary.display());
    }

    #[test]
    fn a_write_that_fails_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::create_dir(&path).unwrap();
        assert!(write_new(&path, b"code").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let path = directory.path().join("other");
        write_new(&path, b"code").unwrap();
        write_new(&path, b"more").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"more");
    }
}
