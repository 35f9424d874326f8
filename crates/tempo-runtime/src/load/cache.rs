//! `CompileCache`: components that earlier processes compiled, in files of the user's cache directory.
//!
//! Its files have the format of precompiled files, signed by a key that is derived from the host's: only this user can have written
//! one, and `tempo run` refuses them. The cache makes a start faster and nothing else: what cannot be read or written is compiled,
//! and logged at the level `debug`.

mod files;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use ring::digest::{SHA256, digest};
use tempo_settings::{Error, Flag, Settings, private};
use wasmtime::Engine;
use wasmtime::component::Component;

use self::files::{MAX_FILE_BYTES, file_size_limit, make_room, touch, write_new};
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
