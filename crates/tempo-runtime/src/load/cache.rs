//! `CompileCache`: components that earlier processes compiled, in files of the user's cache directory.
//!
//! Its files have the format of precompiled files, signed by a key that is derived from the host's: only this user can have written
//! one, and `tempo run` refuses them. The cache makes a start faster and nothing else: what cannot be read or written is compiled,
//! and logged at the level `debug`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use ring::digest::{SHA256, digest};
use tempo_settings::{Error, Flag, Settings, private};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::{FileDigest, compatibility, exceeds_pool, hex};
use crate::allocation::Allocation;
use crate::deserialize::{Verified, deserialize};
use crate::file_bytes::FileBytes;
use crate::host_key::{self, HostKey};
use crate::precompiled::{self, Header};
use crate::scan::Shape;

/// The flag that turns the cache off.
pub(crate) const COMPILE_CACHE: Flag = Flag::new(
    "compile-cache",
    "BOOL",
    "Keep compiled components in tempo/compiled of the user's cache directory, so that they start faster the next time",
)
.default("true")
.of::<bool>()
.of_process();

/// Maximum size of all files, in bytes, and their maximum number. The files that were used the longest time ago make room.
const MAX_BYTES: u64 = 1 << 30;
/// Maximum size of a file, in bytes.
const MAX_FILE_BYTES: u64 = MAX_BYTES / 2;
const MAX_FILES: usize = 500;

/// The purpose of the key with which the files are signed.
const KEY_PURPOSE: &str = "compile cache";

/// Compiled components in files.
#[derive(Clone)]
pub(crate) struct CompileCache {
    directory: PathBuf,
    /// The path of the key.
    key: PathBuf,
}

impl CompileCache {
    /// Returns the cache. `None` if it is turned off, if the user has no directory for it, or if the key is no file: a pipe can be read
    /// only once.
    ///
    /// # Errors
    ///
    /// The flag's value is invalid.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, Error> {
        if !settings.require::<bool>(&COMPILE_CACHE)? {
            return Ok(None);
        }
        let directory = directory().map(|directory| directory.join("tempo/compiled"));
        let key = host_key::path(settings).ok().filter(|key| key.is_file() || !key.exists());
        Ok(directory.zip(key).map(|(directory, key)| Self { directory, key }))
    }

    /// Returns the directory of the files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the component `wasm`, which came from a file with this digest, for `engine`: from the cache, or compiled.
    ///
    /// # Errors
    ///
    /// Those of [`Component::new`], and those of one that does not fit into the engine's pool.
    pub(crate) fn component(
        cache: Option<&Self>,
        engine: &Engine,
        wasm: &[u8],
        source: &FileDigest,
    ) -> wasmtime::Result<Component> {
        let Some(cache) = cache else { return Component::new(engine, wasm) };
        let entry = Entry::of(engine, source);
        let path = cache.directory.join(&entry.name);
        match cache.read(&path, &entry) {
            Ok(Some(file)) => match deserialize(engine, &Verified(file.code())) {
                Ok(component) => {
                    touch(&path);
                    return Ok(component);
                }
                Err(error) if exceeds_pool(&error.to_string()) => return Err(error),
                Err(error) => tracing::debug!(path = %path.display(), "not used: {error:#}"),
            },
            Ok(None) => {}
            Err(error) => tracing::debug!(path = %path.display(), "not used: {error:#}"),
        }
        let component = Component::new(engine, wasm)?;
        if let Err(error) = cache.write(&path, &entry, &component) {
            tracing::debug!(path = %path.display(), "not written: {error:#}");
        }
        Ok(component)
    }

    /// Reads the file of `entry`. `None` if there is none.
    fn read(&self, path: &Path, entry: &Entry) -> anyhow::Result<Option<CachedFile>> {
        let Ok(metadata) = path.metadata() else { return Ok(None) };
        ensure!(metadata.is_file() && metadata.len() <= MAX_FILE_BYTES, "it is none that this program writes");
        let bytes = FileBytes::read(path)?;
        let key = HostKey::load(&self.key)?.map(|key| key.derived(KEY_PURPOSE));
        let decoded = precompiled::decode(&bytes, key.as_ref())?;
        let header = &decoded.header;
        // The file may have been renamed.
        ensure!((&header.source, &header.compatibility) == (&entry.source, &entry.compatibility), "it is another one");
        let start = decoded.code.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
        let code = start..start.saturating_add(decoded.code.len());
        Ok(Some(CachedFile { bytes, code }))
    }

    fn write(&self, path: &Path, entry: &Entry, component: &Component) -> anyhow::Result<()> {
        let key = HostKey::load_or_create(&self.key)?.derived(KEY_PURPOSE);
        let header = Header {
            built_by: precompiled::this_build(),
            compatibility: entry.compatibility.clone(),
            source: entry.source.clone(),
            shape: Shape::default(),
            allocation: Allocation::default(),
            target: None,
        };
        let bytes = precompiled::encode(&header, &component.serialize()?, &key)?;
        let length = u64::try_from(bytes.len())?;
        ensure!(length <= MAX_FILE_BYTES.min(file_size_limit()), "its code has {} KiB", length >> 10);
        private::create_directories(&self.directory)?;
        make_room(&self.directory, length)?;
        write_new(path, &bytes).context("cannot write the file")
    }
}

/// A component in the cache.
struct Entry {
    /// The name of the file.
    name: String,
    source: String,
    compatibility: String,
}

impl Entry {
    fn of(engine: &Engine, source: &FileDigest) -> Self {
        let (source, compatibility) = (hex(source), compatibility(engine));
        let version = env!("CARGO_PKG_VERSION");
        let name = hex(digest(&SHA256, format!("{version} {source} {compatibility}").as_bytes()).as_ref());
        Self { name, source, compatibility }
    }
}

/// A file with a valid signature.
struct CachedFile {
    bytes: FileBytes,
    code: std::ops::Range<usize>,
}

impl CachedFile {
    fn code(&self) -> &[u8] {
        self.bytes.get(self.code.clone()).unwrap_or_default()
    }
}

/// Returns the user's cache directory.
fn directory() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).filter(|path| path.is_absolute())
}

/// Returns whether `name` is that of a file of the cache, or of one that is being written.
fn is_entry(name: &str) -> bool {
    let (digest, rest) = name.split_at_checked(64).unwrap_or((name, "-"));
    digest.bytes().all(|byte| byte.is_ascii_hexdigit()) && (rest.is_empty() || rest.ends_with(".tmp"))
}

/// Returns the size above which a write to a file ends the process.
fn file_size_limit() -> u64 {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// Records that the file is used.
fn touch(path: &Path) {
    // Only the order in which files make room depends on it.
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes the files that were used the longest time ago, until there is room for one of `length` bytes. Other processes may do the
/// same.
fn make_room(directory: &Path, length: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Another process may have removed it.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && is_entry(&entry.file_name().to_string_lossy()) {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    files.sort();
    let mut bytes = files.iter().map(|(_, length, _)| length).fold(length, |sum, length| sum.saturating_add(*length));
    let mut count = files.len();
    for (_, length, path) in files {
        if bytes <= MAX_BYTES && count < MAX_FILES {
            break;
        }
        let _ = fs::remove_file(path);
        bytes = bytes.saturating_sub(length);
        count = count.saturating_sub(1);
    }
    Ok(())
}

/// Writes a temporary file and renames it, so that no process reads a part of it.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let temporary = path.with_extension(format!("{:016x}.tmp", u64::from_le_bytes(random)));
    let created = private::options().write(true).create_new(true).open(&temporary);
    let written = created.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(directory: &Path, number: usize) -> PathBuf {
        directory.join(format!("{number:064x}"))
    }

    /// Writes files of one byte, the oldest first.
    fn write(directory: &Path, numbers: impl Iterator<Item = usize>) {
        for number in numbers {
            let file = File::create(entry(directory, number)).unwrap();
            file.set_len(1).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64)).unwrap();
        }
    }

    fn exist(directory: &Path, numbers: &[usize]) -> Vec<bool> {
        numbers.iter().map(|number| entry(directory, *number).exists()).collect()
    }

    #[test]
    fn the_oldest_files_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        // Files of others are neither counted nor removed.
        fs::write(path.join("thesis"), vec![0; 4]).unwrap();
        write(path, 0..MAX_FILES - 1);
        make_room(path, 1).unwrap();
        assert_eq!(exist(path, &[0, 1]), [true, true], "there is room for one more");
        write(path, MAX_FILES - 1..MAX_FILES);
        make_room(path, 1).unwrap();
        assert_eq!(exist(path, &[0, 1]), [false, true]);
        make_room(path, MAX_BYTES - 3).unwrap();
        assert_eq!(exist(path, &[MAX_FILES - 4, MAX_FILES - 3]), [false, true]);
        assert_eq!(fs::read_dir(path).unwrap().count(), 4);
    }

    #[test]
    fn a_write_that_fails_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::create_dir(&path).unwrap();
        assert!(write_new(&path, b"code").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let path = directory.path().join("other");
        write_new(&path, b"code").unwrap();
        write_new(&path, b"more").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"more");
    }
}
