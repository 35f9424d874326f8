//! `WatchSet`: files and folders whose changes matter.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Folders that tools write into.
const IGNORED: &[&str] = &["target", "node_modules", "__pycache__"];

/// Files and folders whose changes matter. A folder includes all that it contains, except hidden files, backups, and what tools
/// write: `target`, `node_modules`, `__pycache__`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchSet {
    /// The members. One need not exist yet.
    roots: BTreeSet<PathBuf>,
    /// What does not matter in a folder of `roots`.
    excluded: BTreeSet<PathBuf>,
    /// The folders of members that are symbolic links: all their changes matter, because a volume of Kubernetes changes another
    /// link beside the file.
    link_folders: BTreeSet<PathBuf>,
}

impl WatchSet {
    /// Adds a file or a folder.
    pub(crate) fn add(&mut self, path: &Path) {
        let path = absolute(path);
        if path.is_symlink() && path.is_file() {
            self.link_folders.extend(path.parent().map(Path::to_owned));
        }
        self.roots.insert(path);
    }

    /// Excludes a file or a folder inside a folder of the set.
    pub(crate) fn exclude(&mut self, path: &Path) {
        self.excluded.insert(absolute(path));
    }

    /// Returns whether a change of `path` matters.
    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| self.is_in(root, path))
            || path.parent().is_some_and(|parent| self.link_folders.contains(parent))
    }

    /// Returns the members.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.roots.iter().map(PathBuf::as_path)
    }

    /// Returns the members that lie below `path`.
    pub(super) fn roots_below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Path> {
        self.roots().filter(move |root| *root != path && root.starts_with(path))
    }

    /// Returns whether `path` is `root`, or lies in it and is not excluded.
    pub(super) fn is_in(&self, root: &Path, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(root) else { return false };
        let is_excluded = || {
            self.excluded
                .iter()
                .any(|excluded| excluded != root && excluded.starts_with(root) && path.starts_with(excluded))
        };
        !below.components().any(is_ignored) && !is_excluded()
    }
}

/// Returns whether `component` of a path is the name of a file or folder that does not matter.
fn is_ignored(component: Component<'_>) -> bool {
    let Component::Normal(name) = component else { return false };
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b".") || bytes.ends_with(b"~") || IGNORED.iter().any(|ignored| name == OsStr::new(ignored))
}

/// Returns `path` in the form that the system reports changes in.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if !plain.is_symlink() => drop(plain.pop()),
            component => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(roots: &[&str], excluded: &[&str]) -> WatchSet {
        let mut set = WatchSet::default();
        roots.iter().for_each(|root| set.add(Path::new(root)));
        excluded.iter().for_each(|path| set.exclude(Path::new(path)));
        set
    }

    #[test]
    fn a_folder_contains_its_files_without_those_of_tools() {
        let set = set(&["/app/api"], &["/app/api/dist"]);
        for path in ["/app/api", "/app/api/src", "/app/api/src/deep/lib.rs", "/app/api/distance"] {
            assert!(set.contains(Path::new(path)), "{path}");
        }
        let outside = ["/app", "/app/apis/lib.rs", "/app/other"];
        let ignored =
            ["target/x", "a/node_modules/b", "a/__pycache__/b", ".git/index", "src/.lib.rs.swp", "src/lib.rs~"];
        let ignored = ignored.map(|path| format!("/app/api/{path}"));
        for path in outside.into_iter().chain(ignored.iter().map(String::as_str)).chain(["/app/api/dist/a.wasm"]) {
            assert!(!set.contains(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_named_file_matters_anywhere() {
        let set = set(&["/app/.env", "/app/target/release/api.wasm", "/app/a/../b/./c", "/app/dist"], &["/app/dist"]);
        for path in ["/app/.env", "/app/target/release/api.wasm", "/app/b/c", "/app/dist/a"] {
            assert!(set.contains(Path::new(path)), "{path}");
        }
        assert!(!set.contains(Path::new("/app/.envs")) && !set.contains(Path::new("/app/target/release/api.d")));
    }

    #[cfg(unix)]
    #[test]
    fn the_other_links_beside_a_linked_file_matter() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("version")).unwrap();
        std::fs::write(at("version/tempo.toml"), "").unwrap();
        std::os::unix::fs::symlink("version", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/tempo.toml", at("tempo.toml")).unwrap();
        let mut set = WatchSet::default();
        set.add(&at("tempo.toml"));
        assert!(set.contains(&at("..data")));
    }
}
