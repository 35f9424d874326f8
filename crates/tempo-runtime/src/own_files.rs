//! Protects the host's own files from guests: the settings, the data directory, the component, the cache of compiled components and
//! the host's key. A directory that contains one of them is granted for writing only with `--allow-own-files`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempo_backend::DATA;
use tempo_settings::{Error, ErrorKind, Flag};

use crate::boot::LinkedComponent;
use crate::host_key;
use crate::load::CompileCache;
use crate::loaded_settings::LoadedSettings;
use crate::notices::Notices;

/// The flag that allows guests to write the host's own files, except the key.
pub(crate) const ALLOW_OWN_FILES: Flag = Flag::new(
    "allow-own-files",
    "BOOL",
    "Let a writable --dir contain the settings, the data directory, the component or the compile cache",
)
.default("false")
.of::<bool>()
.bare("true");

/// A file or directory of the host.
struct OwnFile {
    description: &'static str,
    path: PathBuf,
    /// Whether it exists or will be created.
    exists: bool,
    /// Whether no flag allows a guest to write it: with the key it could sign native code.
    never_writable: bool,
}

/// The host's own files.
pub(crate) struct OwnFiles<'a> {
    files: Vec<OwnFile>,
    notices: &'a Notices,
}

impl<'a> OwnFiles<'a> {
    /// Returns the own files of the host of `components`.
    ///
    /// # Errors
    ///
    /// A setting cannot be parsed.
    pub(crate) fn of(components: &[Arc<LinkedComponent>], loaded: &'a LoadedSettings) -> Result<Self, Error> {
        let own = |description, path: &Path| OwnFile {
            description,
            path: path.to_owned(),
            exists: path.symlink_metadata().is_ok(),
            never_writable: false,
        };
        let mut files = Vec::new();
        // A user without a home directory has no key.
        if let Ok(key) = host_key::path(&loaded.settings) {
            files.push(OwnFile { never_writable: true, ..own("the host's key", &key) });
        }
        // With the key, which a guest may be able to read, it could sign native code there.
        if let Some(cache) = CompileCache::from_settings(&loaded.settings)? {
            files.push(own("the cache of compiled components", cache.directory()));
        }
        files.extend(loaded.files.iter().map(|path| own("the settings", path)));
        for component in components {
            files.push(own("the component", &component.path));
            let data = own("the data directory", &component.settings.require::<PathBuf>(&DATA)?);
            // Stores may create it.
            files.push(OwnFile { exists: data.exists || component.has_stores(), ..data });
        }
        Ok(Self { files, notices: &loaded.notices })
    }

    /// Checks a directory that is to be granted. `allowed` is the value of `--allow-own-files`. Adds warnings for the host's own
    /// files in the directory.
    ///
    /// # Errors
    ///
    /// A guest could write a file that it must not.
    pub(crate) fn check(&self, directory: &Path, writable: bool, allowed: bool) -> Result<(), Error> {
        let contained = || self.files.iter().filter(|own| contains(directory, &own.path));
        let here = directory.display();
        if let Some(own) = contained().find(|own| writable && own.exists && (own.never_writable || !allowed)) {
            let (what, path) = (own.description, own.path.display());
            let hint = if own.never_writable { "" } else { ", or give --allow-own-files" };
            let message =
                format!("--dir {here} is refused: the guest could change {what} ({path}); grant another{hint}");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        for OwnFile { description, path, exists, .. } in contained() {
            let path = path.display();
            match (writable, exists) {
                (true, false) if !allowed => {
                    self.notices.add(format!("--dir {here}: the guest can create {description} ({path})"));
                }
                (false, true) => self.notices.add(format!("--dir {here}: the guest can read {description} ({path})")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns whether `path`, or a symbolic link on the way to it, is in `directory`, under any of the directory's names.
fn contains(directory: &Path, path: &Path) -> bool {
    let Ok(directory) = DirectoryId::of(directory) else { return false };
    canonical_paths(path).iter().any(|path| {
        path.ancestors().any(|ancestor| DirectoryId::of(ancestor).is_ok_and(|ancestor| ancestor == directory))
    })
}

/// Returns the canonical paths of `path` and of the symbolic links on the way to it. `path` need not exist.
fn canonical_paths(path: &Path) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(path) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = absolute.canonicalize().into_iter().collect();
    // Of an absent path, the part that exists.
    paths.extend(absolute.ancestors().skip(1).find_map(|ancestor| ancestor.canonicalize().ok()));
    for prefix in absolute.ancestors() {
        if let (Some(parent), Some(name)) = (prefix.parent(), prefix.file_name())
            && let Ok(parent) = parent.canonicalize()
            && (prefix == absolute || prefix.is_symlink())
        {
            paths.push(parent.join(name));
        }
    }
    paths
}

/// The identity of a directory, which is the same under all its names, such as those of bind mounts.
#[derive(PartialEq)]
struct DirectoryId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl DirectoryId {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        path.metadata().map(|metadata| Self { device: metadata.dev(), inode: metadata.ino() })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        path.canonicalize().map(|path| Self { path })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_contains_its_files_under_any_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("inside/deep")).unwrap();
        std::fs::create_dir_all(at("outside")).unwrap();
        std::fs::write(at("inside/deep/file"), "").unwrap();
        symlink(at("inside"), at("link-to-inside")).unwrap();
        symlink(at("outside"), at("inside/link-to-outside")).unwrap();
        std::fs::write(at("outside/file"), "").unwrap();
        let inside = at("inside");
        assert!(contains(&inside, &inside));
        assert!(contains(&inside, &at("inside/deep/file")));
        assert!(contains(&inside, &at("inside/deep/../absent")));
        assert!(contains(&inside, &at("inside/absent/directories/file")));
        assert!(!contains(&inside, &at("outside/absent/file")) && !contains(&inside, &at("absent/file")));
        assert!(contains(&at("outside/../inside"), &at("inside/deep")));
        assert!(contains(&inside, &at("link-to-inside/deep/file")), "a link on the way to the file");
        assert!(contains(&at("link-to-inside"), &at("inside/deep/file")), "a link on the way to the directory");
        assert!(contains(&inside, &at("inside/link-to-outside/file")), "the guest can change the link");
        assert!(!contains(&inside, &at("outside/file")));
        assert!(!contains(&at("inside/deep"), &at("inside")));
        assert!(!contains(&inside, root.path()));
        assert!(!contains(&at("absent"), &at("absent/file")));
    }
}
