//! Files and directories that only their owner can access, for the data of components.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Returns open options that create files with mode 0600.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates the directory at `path` and its missing ancestors, with mode 0700.
///
/// # Errors
///
/// One of them cannot be created.
pub fn create_directories(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes the access of other users to the file or directory at `path`, if it belongs to this user and is not a link.
/// Returns whether others had access.
///
/// # Errors
///
/// It does not exist, or the system refuses.
#[cfg(unix)]
pub fn tighten(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = path.symlink_metadata()?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    let open = metadata.permissions().mode() & 0o077 != 0;
    if !own || !open || !(metadata.is_dir() || metadata.is_file()) {
        return Ok(false);
    }
    let mode = metadata.permissions().mode() & 0o700;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map(|()| true)
}

/// Does nothing: only Unix has file modes.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn tighten(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Removes the access of other users to the store at `path`: a file, or a directory and its entries. Skips the entries of
/// directories that are already private. If the parent directory is called `.tempo`, makes it private too; no other ancestor
/// is changed.
///
/// # Errors
///
/// Those of [`tighten`].
pub fn tighten_store(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent().filter(|above| above.file_name().is_some_and(|name| name == ".tempo"))
        && above.exists()
    {
        tighten(above)?;
    }
    if path.symlink_metadata().is_ok() { tighten_tree(path, STORE_DEPTH) } else { Ok(()) }
}

/// Number of directory levels of a store.
const STORE_DEPTH: usize = 2;

/// Changes the directory after its entries: if this is interrupted, the directory is still open, and the next call repeats
/// it.
fn tighten_tree(path: &Path, depth: usize) -> io::Result<()> {
    if depth > 0 && path.symlink_metadata()?.is_dir() && is_open(path)? {
        for entry in std::fs::read_dir(path)? {
            match tighten_tree(&entry?.path(), depth.saturating_sub(1)) {
                // Another process has removed the entry.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    tighten(path).map(drop)
}

#[cfg(unix)]
fn is_open(path: &Path) -> io::Result<bool> {
    Ok(std::os::unix::fs::PermissionsExt::mode(&path.symlink_metadata()?.permissions()) & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_are_private_and_open_ones_become_private() {
        let folder = tempfile::tempdir().unwrap();
        let (directory, file) = (folder.path().join("a/b"), folder.path().join("a/b/file"));
        create_directories(&directory).unwrap();
        options().write(true).create_new(true).open(&file).unwrap();
        assert_eq!([&folder.path().join("a"), &directory, &file].map(|path| mode(path)), [0o700, 0o700, 0o600]);
        assert!(!tighten(&directory).unwrap() && !tighten(&file).unwrap());
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(tighten(&directory).unwrap() && tighten(&file).unwrap());
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn an_open_store_becomes_private_and_its_neighbours_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join(".tempo");
        fs::create_dir_all(data.join("blobstore/objects")).unwrap();
        let files = ["blobstore/objects/a", "keyvalue.redb"].map(|name| data.join(name));
        let directories = ["", "blobstore", "blobstore/objects"].map(|name| data.join(name));
        files.iter().for_each(|file| fs::write(file, "").unwrap());
        files.iter().for_each(|file| fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap());
        directories.iter().for_each(|made| fs::set_permissions(made, Permissions::from_mode(0o755)).unwrap());
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        tighten_store(&data.join("blobstore")).unwrap();
        tighten_store(&data.join("keyvalue.redb")).unwrap();
        tighten_store(&data.join("messaging.redb")).unwrap();
        assert!(files.iter().all(|file| mode(file) == 0o600));
        assert!(directories.iter().all(|made| mode(made) == 0o700));
        assert_eq!(mode(folder.path()), 0o755);
    }

    #[test]
    fn the_target_of_a_link_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        assert!(!tighten(&link).unwrap());
        assert_eq!(mode(&file), 0o644);
    }
}
