//! [`KeyValueCtxBuilder`]: the stores and limits of a context, in an embedding.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tempo_backend::Backends;
use tempo_core::Limits;

use crate::{FileStore, KeyValueCtx, KeyValueLimits, KeyValueStore, MemoryStore};

/// Builds a [`KeyValueCtx`] from stores with the names that a component opens. A name that is given again replaces the
/// store of before.
pub struct KeyValueCtxBuilder {
    stores: BTreeMap<String, Arc<dyn KeyValueStore>>,
    files: BTreeMap<String, PathBuf>,
    limits: KeyValueLimits,
    host_memory: usize,
}

impl KeyValueCtxBuilder {
    pub(crate) fn new() -> Self {
        let defaults = Limits::default();
        let (limits, host_memory) = (KeyValueLimits::new(&defaults), defaults.host_memory);
        Self { stores: BTreeMap::new(), files: BTreeMap::new(), limits, host_memory }
    }

    /// Adds a new store in memory.
    #[must_use]
    pub fn memory(self, name: impl Into<String>) -> Self {
        self.store(name, Arc::new(MemoryStore::default()))
    }

    /// Adds the store in the database file at `path`, which [`build`](Self::build) opens, or creates.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let name = name.into();
        self.stores.remove(&name);
        self.files.insert(name, path.into());
        self
    }

    /// Adds a store of any backend.
    #[must_use]
    pub fn store(mut self, name: impl Into<String>, store: Arc<dyn KeyValueStore>) -> Self {
        let name = name.into();
        self.files.remove(&name);
        self.stores.insert(name, store);
        self
    }

    /// Sets the maximum size of a key. At most 512 bytes, which is the default.
    #[must_use]
    pub fn max_key_bytes(mut self, bytes: usize) -> Self {
        self.limits.key = bytes.min(self.limits.key);
        self
    }

    /// Sets the maximum size of a value. Default: 1 MiB.
    #[must_use]
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.limits.value = bytes;
        self
    }

    /// Sets the maximum size of the answer to one call. Default: 16 MiB.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.limits.answer = bytes;
        self
    }

    /// Sets the bytes that the host holds for the calls in progress of one store. Default: 32 MiB.
    #[must_use]
    pub fn max_host_memory(mut self, bytes: usize) -> Self {
        self.host_memory = bytes;
        self
    }

    /// Opens the files and returns the context.
    ///
    /// # Errors
    ///
    /// A file cannot be opened: see [`FileStore::open`].
    pub async fn build(self) -> tempo_settings::Result<KeyValueCtx> {
        let mut stores = self.stores;
        for (name, path) in self.files {
            stores.insert(name, Arc::new(FileStore::open(&path).await?));
        }
        let mut limits = Limits::default();
        limits.host_memory = self.host_memory;
        Ok(KeyValueCtx::new(Backends::new(stores), &limits).with_limits(self.limits))
    }
}

impl fmt::Debug for KeyValueCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.stores.keys().chain(self.files.keys()).collect();
        f.debug_struct("KeyValueCtxBuilder").field("stores", &names).field("limits", &self.limits).finish()
    }
}
