//! Refuses directories that overlap with another container: nested containers would read and write each other's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the objects.
pub(super) const OBJECTS: &str = "objects";

/// The directory of incomplete uploads.
pub(super) const PARTIAL: &str = "partial";

/// Checks that the directory, which need not exist, is not inside a container's files and contains no container in its
/// own.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let path = true_path(path)?;
    let kept = |path: &&Path| path.file_name().is_some_and(|name| name == OBJECTS || name == PARTIAL);
    let around = path.ancestors().filter(kept).filter_map(Path::parent).find(|parent| is_container(parent));
    let within = [OBJECTS, PARTIAL].map(|name| path.join(name)).into_iter().find(|place| is_container(place));
    match around.map(Path::to_owned).or(within) {
        None => Ok(()),
        Some(other) => {
            let problem = format!("its files and those of another container, {}, would meet", other.display());
            Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
        }
    }
}

fn is_container(path: &Path) -> bool {
    path.join(OBJECTS).is_dir() && path.join(PARTIAL).is_dir()
}

/// Resolves the links of the part of the path that exists.
fn true_path(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let Some(existing) = path.ancestors().find(|ancestor| ancestor.exists()) else { return Ok(path) };
    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
    Ok(fs::canonicalize(existing)?.join(rest))
}
