//! Files of settings that are found in the working directory rather than named: data of their owner, who may be
//! another user than the one who starts the program there.

use std::fs::Metadata;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use tempo_settings::{Error, ErrorKind};

/// A file that was looked for.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// It may set what the user may.
    Trusted(String),
    /// It sets nothing, for this reason.
    Ignored(&'static str),
}

/// Reads `path` if it can only have been written by the user or by root.
///
/// # Errors
///
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Found, Error> {
    // The owner of a link chooses which file is read, so the link is judged as well as the file.
    let (link, file) = match (std::fs::symlink_metadata(path), std::fs::metadata(path)) {
        (Ok(link), Ok(file)) => (link, file),
        (Err(error), _) | (_, Err(error)) if error.kind() == IoErrorKind::NotFound => return Ok(Found::Nothing),
        (Err(error), _) | (_, Err(error)) => return Err(unreadable(path, &error)),
    };
    if !file.is_file() {
        return Ok(Found::Ignored("it is not a file"));
    }
    if let Some(reason) = distrust(&link, false) {
        return Ok(Found::Ignored(reason));
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    // Judged once it is open: another may have taken its place meanwhile.
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if let Some(reason) = distrust(&metadata, true) {
        return Ok(Found::Ignored(reason));
    }
    std::io::read_to_string(file).map(Found::Trusted).map_err(|error| unreadable(path, &error))
}

/// Why others than the user and root may have written what this is the metadata of. The permissions of a link mean nothing.
#[cfg(unix)]
fn distrust(metadata: &Metadata, permissions_count: bool) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt as _;
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mode = if permissions_count { metadata.mode() } else { 0 };
    if metadata.uid() != user && metadata.uid() != 0 {
        return Some("it belongs to another user");
    }
    // Where each user has a group, files are writable by it from the start.
    if mode & OTHERS_WRITE != 0 || (mode & GROUP_WRITES != 0 && metadata.gid() != group) {
        return Some("other users can write it");
    }
    None
}

#[cfg(not(unix))]
fn distrust(_: &Metadata, _: bool) -> Option<&'static str> {
    None
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot read {}: {error}", path.display()))
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
    fn what_others_can_write_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, true), (0o666, false), (0o602, false)] {
            let found = read(&file(directory.path(), mode)).unwrap();
            assert_eq!(matches!(found, Found::Trusted(_)), trusted, "{mode:o}");
        }
        assert_eq!(read(&directory.path().join("absent")).unwrap(), Found::Nothing);
        assert_eq!(read(directory.path()).unwrap(), Found::Ignored("it is not a file"));
    }

    #[test]
    fn what_belongs_to_others_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 0o644);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link).unwrap(), Found::Trusted("text".to_owned()));
        if lchown(&link, Some(1), None).is_err() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let others = Found::Ignored("it belongs to another user");
        assert_eq!(read(&link).unwrap(), others, "a link of another user's");
        lchown(&link, Some(0), None).unwrap();
        chown(&path, Some(1), None).unwrap();
        assert_eq!(read(&link).unwrap(), others, "a link to another user's file");
        assert_eq!(read(&path).unwrap(), others);
    }
}
