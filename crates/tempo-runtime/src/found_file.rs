//! Settings files that are found in the working directory rather than named by a flag. They are trusted only if no other
//! user can have written them.

use std::fs::Metadata;
use std::io::{ErrorKind as IoErrorKind, Read as _};
use std::path::Path;

/// The result of reading a settings file.
#[derive(Debug, PartialEq)]
pub(crate) enum FoundFile {
    /// The file does not exist.
    Absent,
    /// The contents of a file that only the user or root can have written.
    Trusted(Vec<u8>),
    /// The reason why the file is ignored. It is read if it is named.
    Ignored(&'static str),
    /// The reason why the file is ignored. It cannot be read if it is named either.
    Unreadable(&'static str),
}

/// Maximum bytes of a settings file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads `path` if it can only have been written by the user or by root. A file that cannot be read is ignored: it may be
/// another program's.
pub(crate) fn read(path: &Path) -> FoundFile {
    match try_read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == IoErrorKind::NotFound => FoundFile::Absent,
        Err(error) if error.kind() == IoErrorKind::PermissionDenied => {
            FoundFile::Unreadable("this user may not read it")
        }
        Err(_) => FoundFile::Unreadable("it cannot be read"),
    }
}

fn try_read(path: &Path) -> std::io::Result<FoundFile> {
    // The owner of a link chooses which file is read, so the link is checked as well as the file.
    let (link, file) = (std::fs::symlink_metadata(path)?, std::fs::metadata(path)?);
    if !file.is_file() {
        return Ok(FoundFile::Unreadable("it is not a file"));
    }
    if let Some(reason) = distrust(&link, false) {
        return Ok(FoundFile::Ignored(reason));
    }
    let file = std::fs::File::open(path)?;
    // Checked again on the open file, which may have been replaced since.
    if let Some(reason) = distrust(&file.metadata()?, true) {
        return Ok(FoundFile::Ignored(reason));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES);
    Ok(if fits { FoundFile::Trusted(bytes) } else { FoundFile::Ignored("it is larger than 1 MiB") })
}

/// Returns why users other than this one and root may have written a file. `check_mode` is false for links, whose mode has no
/// meaning.
#[cfg(unix)]
fn distrust(metadata: &Metadata, check_mode: bool) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt as _;
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mode = if check_mode { metadata.mode() } else { 0 };
    if metadata.uid() != user && metadata.uid() != 0 {
        return Some("it belongs to another user");
    }
    // The user's own group may write: many systems create files group-writable in a group of that user alone.
    if mode & OTHERS_WRITE != 0 || (mode & GROUP_WRITES != 0 && metadata.gid() != group) {
        return Some("other users can write it");
    }
    None
}

#[cfg(not(unix))]
fn distrust(_: &Metadata, _: bool) -> Option<&'static str> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    fn file(directory: &Path, mode: u32) -> std::path::PathBuf {
        let path = directory.join("settings");
        std::fs::write(&path, "text").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_that_others_can_write_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, true), (0o666, false), (0o602, false)] {
            let found = read(&file(directory.path(), mode));
            assert_eq!(matches!(found, FoundFile::Trusted(_)), trusted, "{mode:o}");
        }
        assert_eq!(read(&directory.path().join("absent")), FoundFile::Absent);
        assert_eq!(read(directory.path()), FoundFile::Unreadable("it is not a file"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("loop");
        symlink(&path, &path).unwrap();
        assert_eq!(read(&path), FoundFile::Unreadable("it cannot be read"));
        for (size, read_whole) in [(MAX_FILE_BYTES - 1, true), (MAX_FILE_BYTES, true), (MAX_FILE_BYTES + 1, false)] {
            let path = file(directory.path(), 0o600);
            std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
            assert_eq!(matches!(read(&path), FoundFile::Trusted(_)), read_whole, "{size}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 0o644);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link), FoundFile::Trusted(b"text".to_vec()));
        if lchown(&link, Some(1), None).is_err() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let others = FoundFile::Ignored("it belongs to another user");
        assert_eq!(read(&link), others, "a link of another user's");
        lchown(&link, Some(0), None).unwrap();
        chown(&path, Some(1), None).unwrap();
        assert_eq!(read(&link), others, "a link to another user's file");
        assert_eq!(read(&path), others);
    }
}
