//! What a guest must not change of its own host: the settings, the data directory, the component and the host's key. A
//! directory that contains one of them is not granted for writing by mistake.

use std::path::{Path, PathBuf};

use tempo_backend::DATA;
use tempo_settings::{Error, ErrorKind, Flag};

use crate::cli::Sources;
use crate::host_key;
use crate::notices::Notices;

/// The flag that says that it is meant.
pub const ALLOW_OWN_FILES: Flag = Flag::new(
    "allow-own-files",
    "BOOL",
    "Let a writable --dir contain the settings, the data directory or the component",
)
.default("false")
.bare("true");

/// A file or directory of the host's.
struct Own {
    what: &'static str,
    path: PathBuf,
    /// Whether it is there or will be.
    exists: bool,
    /// Whether no flag allows a guest to write it: with the key it could sign native code.
    never_writable: bool,
}

/// The host's files for one component.
pub struct OwnFiles<'a> {
    files: Vec<Own>,
    /// Whether the user has said that the guest may write them.
    allowed: bool,
    notices: &'a Notices,
}

impl<'a> OwnFiles<'a> {
    /// Those of `component`, which has stores if `stores`. They are in the data directory.
    ///
    /// # Errors
    ///
    /// A setting cannot be read.
    pub fn of(component: &Path, sources: &'a Sources, stores: bool) -> Result<Self, Error> {
        let settings = &sources.settings;
        let own = |what, path: &Path| Own {
            what,
            path: path.to_owned(),
            exists: path.symlink_metadata().is_ok(),
            never_writable: false,
        };
        let mut files = Vec::new();
        // A user without a home has no key to lose.
        if let Ok(key) = host_key::path(settings) {
            files.push(Own { never_writable: true, ..own("the host's key", &key) });
        }
        files.extend(sources.files.iter().map(|path| own("the settings", path)));
        files.push(own("the component", component));
        let data = own("the data directory", &settings.require::<PathBuf>(&DATA)?);
        files.push(Own { exists: data.exists || stores, ..data });
        Ok(Self { files, allowed: settings.require(&ALLOW_OWN_FILES)?, notices: &sources.notices })
    }

    /// Judges a directory that is to be granted.
    ///
    /// # Errors
    ///
    /// A guest could write what it must not.
    pub fn judge(&self, directory: &Path, writable: bool) -> Result<(), Error> {
        let contained = || self.files.iter().filter(|own| contains(directory, &own.path));
        let here = directory.display();
        if let Some(own) = contained().find(|own| writable && own.exists && (own.never_writable || !self.allowed)) {
            let (what, there) = (own.what, own.path.display());
            let hint = if own.never_writable { "" } else { ", or say --allow-own-files" };
            let message =
                format!("--dir {here} is refused: the guest could change {what} ({there}); grant another{hint}");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        for Own { what, path, exists, .. } in contained() {
            let there = path.display();
            match (writable, exists) {
                (true, false) if !self.allowed => {
                    self.notices.add(format!("--dir {here}: the guest can make {what} ({there})"));
                }
                (false, true) => self.notices.add(format!("--dir {here}: the guest can read {what} ({there})")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether `path`, or a link on the way to it, lies in `directory`, by whatever name the directory is called.
fn contains(directory: &Path, path: &Path) -> bool {
    let Ok(directory) = Identity::of(directory) else { return false };
    places(path).iter().any(|place| {
        place.ancestors().any(|ancestor| Identity::of(ancestor).is_ok_and(|ancestor| ancestor == directory))
    })
}

/// Where `path` and the links on the way to it are, without links themselves. What does not exist is where it would be.
fn places(path: &Path) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(path) else { return Vec::new() };
    let mut places: Vec<PathBuf> = absolute.canonicalize().into_iter().collect();
    for prefix in absolute.ancestors() {
        if let (Some(parent), Some(name)) = (prefix.parent(), prefix.file_name())
            && let Ok(parent) = parent.canonicalize()
            && (prefix == absolute || prefix.is_symlink())
        {
            places.push(parent.join(name));
        }
    }
    places
}

/// What makes a directory the same by another name, such as that of a bind mount.
#[derive(PartialEq)]
struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
    #[cfg(not(unix))]
    path: PathBuf,
}

impl Identity {
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
    fn a_directory_contains_what_lies_in_it_by_any_name() {
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
