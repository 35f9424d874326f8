//! Settings files that are found in the working directory rather than named by a flag. They are trusted only if no other
//! user can have written them.

use std::fs::Metadata;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use tempo_settings::{Error, ErrorKind};

/// The result of reading a settings file.
#[derive(Debug, PartialEq)]
pub(crate) enum FoundFile {
    /// The file does not exist.
    Absent,
    /// The contents of a file that only the user or root can have written.
    Trusted(String),
    /// The reason why the file is ignored.
    Ignored(&'static str),
}

/// Reads `path` if it can only have been written by the user or by root.
///
/// # Errors
///
/// The file cannot be read.
pub(crate) fn read(path: &Path) -> Result<FoundFile, Error> {
    // The owner of a link chooses which file is read, so the link is checked as well as the file.
    let (link, file) = match (std::fs::symlink_metadata(path), std::fs::metadata(path)) {
        (Ok(link), Ok(file)) => (link, file),
        (Err(error), _) | (_, Err(error)) if error.kind() == IoErrorKind::NotFound => return Ok(FoundFile::Absent),
        (Err(error), _) | (_, Err(error)) => return Err(unreadable(path, error)),
    };
    if !file.is_file() {
        return Ok(FoundFile::Ignored("it is not a file"));
    }
    if let Some(reason) = distrust(&link, false) {
        return Ok(FoundFile::Ignored(reason));
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, error))?;
    // Checked again on the open file, which may have been replaced since.
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    if let Some(reason) = distrust(&metadata, true) {
        return Ok(FoundFile::Ignored(reason));
    }
    std::io::read_to_string(file).map(FoundFile::Trusted).map_err(|error| unreadable(path, error))
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

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot read {}", path.display())).with_source(error)
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
            let found = read(&file(directory.path(), mode)).unwrap();
            assert_eq!(matches!(found, FoundFile::Trusted(_)), trusted, "{mode:o}");
        }
        assert_eq!(read(&directory.path().join("absent")).unwrap(), FoundFile::Absent);
        assert_eq!(read(directory.path()).unwrap(), FoundFile::Ignored("it is not a file"));
    }

    #[test]
    fn a_file_of_another_user_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 0o644);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link).unwrap(), FoundFile::Trusted("text".to_owned()));
        if lchown(&link, Some(1), None).is_err() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let others = FoundFile::Ignored("it belongs to another user");
        assert_eq!(read(&link).unwrap(), others, "a link of another user's");
        lchown(&link, Some(0), None).unwrap();
        chown(&path, Some(1), None).unwrap();
        assert_eq!(read(&link).unwrap(), others, "a link to another user's file");
        assert_eq!(read(&path).unwrap(), others);
    }
}
