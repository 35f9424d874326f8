//! `Reloadable`: a value parsed from files and parsed again when they change, because certificates and credentials are
//! renewed while the process runs.

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::{Error, ErrorKind};

/// Maximum size of a file, in bytes. A bundle of all public certificate authorities has a quarter of a megabyte.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The contents of the files, in the order given.
type Contents = Vec<Vec<u8>>;

/// Parses the contents of all files.
type Parse<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, Error> + Send + Sync>;

/// A value parsed from files, and parsed again when they change. Clones share the value.
///
/// Changes are detected by contents, not by modification times, so that retargeting a symbolic link is a change. A file that
/// cannot be read or parsed, for example because it is partly written, leaves the value unchanged and is logged once.
pub struct Reloadable<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    /// Each file with the flag or environment variable that names it.
    files: Vec<(&'static str, PathBuf)>,
    parse: Parse<T>,
    value: RwLock<Arc<T>>,
    last_check: Mutex<Instant>,
    /// Locked by the one task that reads the files.
    seen: Arc<AsyncMutex<Seen>>,
    hasher: RandomState,
}

/// Hashes of the contents last seen. Hashes, so that no second copy of a secret is kept.
struct Seen {
    /// The contents that the value was parsed from.
    good: u64,
    /// The last logged failure, if the files are invalid now: unparsable contents, or the error of reading.
    bad: Option<u64>,
}

impl<T> Clone for Reloadable<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for Reloadable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloadable").field("files", &self.inner.files).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Reloadable<T> {
    /// Reads `files`, each named by a flag or an environment variable such as `OTEL_EXPORTER_OTLP_CERTIFICATE`, and parses
    /// their contents with `parse`. Blocks. Errors of `parse` are logged, so they must not contain secrets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for a file that cannot be read, and the errors of `parse`.
    pub fn load(
        files: Vec<(&'static str, PathBuf)>,
        parse: impl Fn(&[Vec<u8>]) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let contents = read_all(&files)?;
        let value = RwLock::new(Arc::new(parse(&contents)?));
        let hasher = RandomState::new();
        let seen = Seen { good: hasher.hash_one(&contents), bad: None };
        let (last_check, seen) = (Mutex::new(Instant::now()), Arc::new(AsyncMutex::new(seen)));
        Ok(Self { inner: Arc::new(Inner { files, parse: Box::new(parse), value, last_check, seen, hasher }) })
    }

    /// Returns the value parsed last, without checking the files.
    pub fn latest(&self) -> Arc<T> {
        Arc::clone(&self.inner.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the current value. Checks the files first, on a blocking thread of the current runtime, unless the last check
    /// was less than `max_age` ago or another one is running.
    pub async fn current(&self, max_age: Duration) -> Arc<T> {
        if self.inner.is_due(max_age)
            && let Ok(seen) = Arc::clone(&self.inner.seen).try_lock_owned()
        {
            let inner = Arc::clone(&self.inner);
            // `check` logs its failures.
            drop(tokio::task::spawn_blocking(move || inner.check(seen)).await);
        }
        self.latest()
    }
}

impl<T> Inner<T> {
    fn is_due(&self, max_age: Duration) -> bool {
        let last_check = self.last_check.lock().unwrap_or_else(PoisonError::into_inner);
        !self.files.is_empty() && last_check.elapsed() >= max_age
    }

    /// Reads the files, and parses them if they have changed.
    fn check(&self, mut seen: OwnedMutexGuard<Seen>) {
        match read_all(&self.files) {
            Ok(contents) => {
                let hash = self.hasher.hash_one(&contents);
                if hash == seen.good {
                    seen.bad = None;
                } else if seen.bad != Some(hash) {
                    self.update(&mut seen, hash, (self.parse)(&contents));
                }
            }
            Err(error) => {
                let hash = self.hasher.hash_one(format!("{error:#}"));
                self.update(&mut seen, hash, Err(error));
            }
        }
        *self.last_check.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn update(&self, seen: &mut Seen, hash: u64, parsed: Result<T, Error>) {
        match parsed {
            Ok(value) => {
                *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                *seen = Seen { good: hash, bad: None };
                let flags: Vec<String> = self.files.iter().map(|(flag, _)| label(flag)).collect();
                tracing::info!("reloaded: {}", flags.join(", "));
            }
            Err(error) => {
                if seen.bad.replace(hash) != Some(hash) {
                    tracing::warn!("{error:#}; the previous value stays in use");
                }
            }
        }
    }
}

fn read_all(files: &[(&'static str, PathBuf)]) -> Result<Contents, Error> {
    let read = |(flag, path): &(&'static str, PathBuf)| {
        read(path).map_err(|error| {
            Error::new(ErrorKind::NotFound, format!("{}: cannot read {}", label(flag), path.display()))
                .with_source(error)
        })
    };
    files.iter().map(read).collect()
}

/// Returns `--FLAG` for a flag, and the name of an environment variable unchanged.
fn label(flag: &str) -> String {
    if flag.starts_with(|first: char| first.is_ascii_uppercase()) { flag.to_owned() } else { format!("--{flag}") }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One byte above the maximum reveals a file that is too large.
    File::open(path)?.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    /// A number in a file, and the count of its parses.
    fn number(path: &Path) -> (Result<Reloadable<u32>, Error>, Arc<AtomicUsize>) {
        let parses = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&parses);
        let parse = move |contents: &[Vec<u8>]| {
            count.fetch_add(1, Relaxed);
            let text = contents.first().and_then(|content| std::str::from_utf8(content).ok());
            let number = text.and_then(|text| text.parse().ok());
            number.ok_or_else(|| Error::new(ErrorKind::BadConfiguration, "--number: no number"))
        };
        (Reloadable::load(vec![("number", path.to_owned())], parse), parses)
    }

    #[tokio::test]
    async fn a_change_is_loaded_and_a_bad_file_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1").unwrap();
        let (number, parses) = number(file.path());
        let number = number.unwrap();
        assert_eq!((*number.current(Duration::ZERO).await, parses.load(Relaxed)), (1, 1));
        // Each bad content is parsed once, however often it is checked.
        for (content, value, parsed) in [("2", 2, 2), ("2x", 2, 3), ("2x", 2, 3), ("2", 2, 3), ("", 2, 4), ("3", 3, 5)]
        {
            fs::write(file.path(), content).unwrap();
            assert_eq!((*number.current(Duration::ZERO).await, parses.load(Relaxed)), (value, parsed), "{content}");
        }
        fs::remove_file(file.path()).unwrap();
        assert_eq!(*number.current(Duration::ZERO).await, 3);
        fs::write(file.path(), "4").unwrap();
        assert_eq!(*number.current(Duration::from_secs(3600)).await, 3, "the last check was just now");
        assert_eq!(*number.current(Duration::ZERO).await, 4);
        assert_eq!(*number.latest(), 4);
    }

    #[tokio::test]
    async fn during_a_check_others_get_the_last_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1").unwrap();
        let number = number(file.path()).0.unwrap();
        let checking = Arc::clone(&number.inner.seen).lock_owned().await;
        fs::write(file.path(), "2").unwrap();
        assert_eq!(*number.current(Duration::ZERO).await, 1);
        drop(checking);
        assert_eq!(*number.current(Duration::ZERO).await, 2);
    }

    #[test]
    fn the_first_load_must_succeed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("number");
        let error = number(&path).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(format!("{error:#}").starts_with(&format!("--number: cannot read {}: ", path.display())), "{error:#}");
        fs::write(&path, "x").unwrap();
        assert_eq!(number(&path).0.unwrap_err().kind(), ErrorKind::BadConfiguration);
    }

    #[test]
    fn files_at_the_size_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (bytes, fits) in [(MAX_FILE_BYTES - 1, true), (MAX_FILE_BYTES, true), (MAX_FILE_BYTES + 1, false)] {
            File::create(&path).unwrap().set_len(bytes).unwrap();
            assert_eq!(read(&path).is_ok(), fits, "{bytes}");
        }
    }
}
