//! A stub backend that fails or waits on request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tempo_backend::Backends;
use tempo_core::Limits;
use tokio::sync::Semaphore;

use crate::{
    BlobstoreCtx, ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload,
};

/// A container that returns fixed data, and accepts as many chunks as it has permits.
pub(crate) struct Stub {
    pub(crate) size: u64,
    pub(crate) data: Mutex<Option<Data>>,
    pub(crate) allowed: Arc<Semaphore>,
    pub(crate) completed: Arc<AtomicUsize>,
}

impl Stub {
    pub(crate) fn new(size: u64, data: impl futures::Stream<Item = Result<Bytes>> + Send + 'static) -> Arc<Self> {
        let data = Mutex::new(Some(data.boxed()));
        Arc::new(Self { size, data, allowed: Arc::new(Semaphore::new(0)), completed: Arc::default() })
    }

    pub(crate) fn torn() -> Arc<Self> {
        let torn = Error::new(ErrorKind::Unavailable, "torn");
        Self::new(10, futures::stream::iter([Ok(Bytes::from_static(b"half")), Err(torn)]))
    }
}

#[async_trait]
impl Container for Stub {
    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        Ok(Some(info(name, self.size)))
    }

    async fn get(&self, name: &str, _: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let data = self.data.lock().unwrap().take().unwrap();
        Ok((info(name, self.size), data))
    }

    async fn put(&self, name: &str, _: PutOptions) -> Result<Box<dyn Upload>> {
        let (allowed, completed) = (self.allowed.clone(), self.completed.clone());
        Ok(Box::new(StubUpload { name: name.to_owned(), allowed, completed }))
    }

    async fn delete(&self, _: &str) -> Result<()> {
        Err(Error::new(ErrorKind::AccessDenied, "read only"))
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Entry>> {
        Err(Error::new(ErrorKind::Timeout, "slow"))
    }

    async fn copy(&self, _: &str, _: &str) -> Result<ObjectInfo> {
        Err(Error::new(ErrorKind::AccessDenied, "read only"))
    }
}

struct StubUpload {
    name: String,
    allowed: Arc<Semaphore>,
    completed: Arc<AtomicUsize>,
}

#[async_trait]
impl Upload for StubUpload {
    async fn write(&mut self, _: Bytes) -> Result<()> {
        // A closed semaphore simulates an unreachable server.
        let gone = |_| Error::new(ErrorKind::Unavailable, "gone");
        self.allowed.acquire().await.map_err(gone)?.forget();
        Ok(())
    }

    async fn complete(self: Box<Self>) -> Result<ObjectInfo> {
        self.completed.fetch_add(1, Ordering::SeqCst);
        Ok(info(&self.name, 0))
    }
}

/// A store's state with these containers.
pub(crate) fn state<const N: usize>(
    containers: [(&str, Arc<dyn Container>); N],
    max_object: u64,
    hostcall_bytes: usize,
) -> BlobstoreCtx {
    let mut limits = Limits::default();
    (limits.hostcall_bytes, limits.host_memory) = (hostcall_bytes, hostcall_bytes);
    let containers = containers.map(|(name, container)| (name.to_owned(), container));
    BlobstoreCtx::new(Backends::new(containers), max_object, &limits)
}

/// Lets every task run until it waits.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn info(name: &str, size: u64) -> ObjectInfo {
    let (name, etag) = (name.to_owned(), "1".to_owned());
    ObjectInfo::new(name, size, 0, etag)
}
