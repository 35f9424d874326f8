//! [`BlobstoreCtxBuilder`]: the containers and limits of a context, in an embedding.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tempo_backend::Backends;
use tempo_core::Limits;
use tempo_settings::{Error, ErrorKind};

use crate::{BlobstoreCtx, Container, File, Memory};

/// Maximum size of an object, unless the builder sets another.
const DEFAULT_OBJECT_BYTES: u64 = 1 << 30;

/// Builds a [`BlobstoreCtx`] from containers with the names that a component opens. A name that is given again replaces
/// the container of before.
pub struct BlobstoreCtxBuilder {
    containers: BTreeMap<String, Arc<dyn Container>>,
    directories: BTreeMap<String, PathBuf>,
    max_object: u64,
    limits: Limits,
}

impl BlobstoreCtxBuilder {
    pub(crate) fn new() -> Self {
        let (containers, directories) = (BTreeMap::new(), BTreeMap::new());
        Self { containers, directories, max_object: DEFAULT_OBJECT_BYTES, limits: Limits::default() }
    }

    /// Adds a new container in memory.
    #[must_use]
    pub fn memory(self, name: impl Into<String>) -> Self {
        self.container(name, Arc::new(Memory::default()))
    }

    /// Adds the container in the directory at `path`, which [`build`](Self::build) opens, or creates.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        let name = name.into();
        self.containers.remove(&name);
        self.directories.insert(name, path.into());
        self
    }

    /// Adds a container of any backend.
    #[must_use]
    pub fn container(mut self, name: impl Into<String>, container: Arc<dyn Container>) -> Self {
        let name = name.into();
        self.directories.remove(&name);
        self.containers.insert(name, container);
        self
    }

    /// Sets the maximum size of an object that the component writes. Default: 1 GiB.
    #[must_use]
    pub fn max_object_bytes(mut self, bytes: u64) -> Self {
        self.max_object = bytes;
        self
    }

    /// Sets the maximum size of the answer to one call. Default: 16 MiB.
    #[must_use]
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.limits.hostcall_bytes = bytes;
        self
    }

    /// Sets the bytes that the host holds for the streams of one store. Default: 32 MiB.
    #[must_use]
    pub fn max_host_memory(mut self, bytes: usize) -> Self {
        self.limits.host_memory = bytes;
        self
    }

    /// Opens the directories and returns the context.
    ///
    /// # Errors
    ///
    /// A directory cannot be opened: see [`File::open`].
    pub async fn build(self) -> tempo_settings::Result<BlobstoreCtx> {
        let mut containers = self.containers;
        for (name, path) in self.directories {
            let problem = format!("{}: the directory cannot be used", path.display());
            let opened = tokio::task::spawn_blocking(move || File::open(&path)).await.map_err(Error::internal)?;
            let file = opened.map_err(|error| Error::new(ErrorKind::CannotWrite, problem).with_source(error))?;
            containers.insert(name, Arc::new(file));
        }
        Ok(BlobstoreCtx::new(Backends::new(containers), self.max_object, &self.limits))
    }
}

impl fmt::Debug for BlobstoreCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.containers.keys().chain(self.directories.keys()).collect();
        f.debug_struct("BlobstoreCtxBuilder").field("containers", &names).finish_non_exhaustive()
    }
}
