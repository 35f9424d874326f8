//! Whether a directory may be a container: not where another keeps its objects, and not around one. Two containers of
//! which one lies in the other would meet each other's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a container keeps its objects.
pub(super) const OBJECTS: &str = "objects";

/// Where a container keeps its uploads.
pub(super) const PARTIAL: &str = "partial";

/// Refuses a directory, which need not exist, that lies among the files of a container, or among whose files one lies.
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

/// The path without links, as far as it exists.
fn true_path(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let Some(existing) = path.ancestors().find(|ancestor| ancestor.exists()) else { return Ok(path) };
    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
    Ok(fs::canonicalize(existing)?.join(rest))
}
