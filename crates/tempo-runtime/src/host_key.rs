//! The key that authenticates precompiled files: one per user and host, readable only by that user.

use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ring::hmac;
use tempo_settings::{Error, ErrorKind, Flag, Settings, private};

/// The flag that names another key file. Settings files cannot set it: they may come with the code that the key would
/// authenticate.
pub(crate) const KEY_FILE: Flag =
    Flag::new("key-file", "FILE", "Key of precompiled files [default: tempo/host.key in the user's data directory]")
        .of_process();

/// Length of the key, in bytes.
const KEY_BYTES: usize = 32;

/// A key for HMAC-SHA-256. Its debug output hides it.
pub struct HostKey([u8; KEY_BYTES]);

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostKey(***)")
    }
}

impl HostKey {
    /// Returns the key.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Derives the key for `purpose`: what it signs is not signed by this one.
    pub(crate) fn derived(&self, purpose: &str) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), purpose.as_bytes());
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(tag.as_ref());
        Self(key)
    }

    /// Creates a key from its bytes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads the key; `None` if the file does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a key, or can be read by other users.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, error)),
        };
        check_private(&file, path)?;
        let mut bytes = Vec::with_capacity(KEY_BYTES);
        (&file).take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
        let key = bytes.try_into().map_err(|_| {
            let message = format!("{}: not a key of {KEY_BYTES} bytes; remove it and compile again", path.display());
            Error::new(ErrorKind::Refused, message)
        })?;
        Ok(Some(Self(key)))
    }

    /// Reads the key, or creates it if the file does not exist.
    ///
    /// # Errors
    ///
    /// As [`HostKey::load`]; also if the file cannot be written.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, Error> {
        if let Some(key) = Self::load(path)? {
            return Ok(key);
        }
        match create(path) {
            Ok(key) => Ok(key),
            // Another process has created the file concurrently: use its key.
            Err(error) if error.kind() == IoErrorKind::AlreadyExists => {
                Self::load(path)?.ok_or_else(|| unwritable(path, error))
            }
            Err(error) => Err(unwritable(path, error)),
        }
    }
}

/// Returns the path of the key: `--key-file`, or a file in the user's data directory.
///
/// # Errors
///
/// Neither is set.
pub(crate) fn path(settings: &Settings) -> Result<PathBuf, Error> {
    if let Some(path) = settings.get::<PathBuf>(&KEY_FILE)? {
        return Ok(path);
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".local/share"));
    data.or_else(home).map(|data| data.join("tempo/host.key")).ok_or_else(|| {
        Error::new(ErrorKind::BadConfiguration, "the user has no home directory for the key: give --key-file")
    })
}

/// Writes a new key to a temporary file and links it to `path`, so that no reader sees a partial key.
fn create(path: &Path) -> std::io::Result<HostKey> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private::create_directories(directory)?;
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
    let temporary = directory.join(format!(".host.key.{}", std::process::id()));
    let created = private::options().write(true).create_new(true).open(&temporary);
    let written = created.and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()));
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    let _ = std::fs::remove_file(&temporary);
    linked.map(|()| HostKey(key))
}

#[cfg(unix)]
fn check_private(file: &File, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let message =
            format!("refused: the key {} belongs to another user, who could sign native code", path.display());
        return Err(Error::new(ErrorKind::Refused, message));
    }
    if metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("refused: other users can read the key {}: chmod 600 it", path.display());
    Err(Error::new(ErrorKind::Refused, message))
}

#[cfg(not(unix))]
fn check_private(_: &File, _: &Path) -> Result<(), Error> {
    Ok(())
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot read the key {}", path.display())).with_source(error)
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let problem = format!("cannot write the key {}", path.display());
    Error::new(ErrorKind::CannotWrite, problem).with_source(error).with_advice("give --key-file")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_key_is_created_once_with_private_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/host.key");
        assert!(HostKey::load(&path).unwrap().is_none());
        let made = HostKey::load_or_create(&path).unwrap();
        assert_eq!(HostKey::load_or_create(&path).unwrap().bytes(), made.bytes());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.key");
        HostKey::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(HostKey::load(&path).unwrap_err().kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_key_of_another_user_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.key");
        HostKey::load_or_create(&path).unwrap();
        if std::os::unix::fs::chown(&path, Some(1), None).is_err() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        assert_eq!(HostKey::load(&path).unwrap_err().kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_key_of_another_size_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 31, 33] {
            let path = directory.path().join(size.to_string());
            std::fs::write(&path, vec![0; size]).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(HostKey::load(&path).is_err());
        }
    }
}
