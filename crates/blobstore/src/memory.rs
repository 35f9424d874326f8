//! A container in memory, for tests and temporary data.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::{BackendUrl, ErrorKind as CoreKind, FlagValue as _, Settings, Size};

use crate::CHUNK;
use crate::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// Default capacity of a container, in bytes.
const DEFAULT_CAPACITY_BYTES: usize = 1 << 30;

/// Accounted overhead per object, in bytes.
const OBJECT_OVERHEAD_BYTES: usize = 512;

/// A container in memory. All objects share one capacity; a write beyond it fails with `QuotaExceeded`.
pub struct Memory {
    shared: Arc<Shared>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

struct Shared {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Arc<Object>>,
    used: usize,
}

struct Object {
    info: ObjectInfo,
    chunks: Vec<Bytes>,
    cost: usize,
}

impl Memory {
    /// Creates an empty container with a capacity of `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { shared: Arc::new(Shared { capacity, state: Mutex::default() }) }
    }

    fn find(&self, name: &str) -> Option<Arc<Object>> {
        self.shared.lock().objects.get(name).cloned()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY_BYTES)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, bytes: usize) -> Result<()> {
        let mut state = self.lock();
        let used = state.used.saturating_add(bytes);
        if used > self.capacity {
            return Err(Error::new(ErrorKind::QuotaExceeded, "the container is full"));
        }
        state.used = used;
        Ok(())
    }

    /// Inserts an object whose cost is already reserved.
    fn insert(&self, object: Object, if_absent: bool) -> std::result::Result<ObjectInfo, (Error, usize)> {
        let mut state = self.lock();
        if if_absent && state.objects.contains_key(&object.info.name) {
            return Err((Error::already_exists(), object.cost));
        }
        let info = object.info.clone();
        let replaced = state.objects.insert(info.name.clone(), Arc::new(object));
        state.used = state.used.saturating_sub(replaced.map_or(0, |object| object.cost));
        Ok(info)
    }

    fn release(&self, bytes: usize) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(bytes);
    }
}

#[async_trait]
impl Container for Memory {
    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        Ok(self.find(name).map(|object| object.info.clone()))
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let object = self.find(name).ok_or_else(Error::no_such_object)?;
        let (mut skip, end) = ByteRange::within(range, object.info.size);
        let mut left = end.saturating_sub(skip);
        let mut chunks = Vec::new();
        for chunk in &object.chunks {
            let length = chunk.len() as u64;
            let start = skip.min(length);
            let stop = start.saturating_add(left).min(length);
            skip = skip.saturating_sub(length);
            left = left.saturating_sub(stop.saturating_sub(start));
            if start < stop {
                // Both are at most the length of a slice.
                chunks.push(chunk.slice(start as usize..stop as usize));
            }
        }
        Ok((object.info.clone(), futures::stream::iter(chunks.into_iter().map(Ok)).boxed()))
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        if options.if_absent && self.find(name).is_some() {
            return Err(Error::already_exists());
        }
        let upload = MemoryUpload {
            shared: self.shared.clone(),
            name: name.to_owned(),
            options,
            chunks: Vec::new(),
            last: BytesMut::new(),
            size: 0,
            reserved: 0,
        };
        Ok(Box::new(upload))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let mut state = self.shared.lock();
        let removed = state.objects.remove(name);
        state.used = state.used.saturating_sub(removed.map_or(0, |object| object.cost));
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        let state = self.shared.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let found = state.objects.range::<str, _>((start, Bound::Unbounded));
        let matching = found.take_while(|(name, _)| name.starts_with(prefix));
        Ok(matching.take(limit).map(|(_, object)| record::entry(&object.info)).collect())
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let source = self.find(from).ok_or_else(Error::no_such_object)?;
        let (size, chunks) = (source.info.size, source.chunks.clone());
        let cost = source.cost.saturating_sub(from.len()).saturating_add(to.len());
        let options = PutOptions {
            if_absent: false,
            content_type: source.info.content_type.clone(),
            metadata: source.info.metadata.clone(),
        };
        let info = record::info(to, size, options)?;
        self.shared.reserve(cost)?;
        let object = Object { info, chunks, cost };
        self.shared.insert(object, false).map_err(|(error, _)| error)
    }
}

struct MemoryUpload {
    shared: Arc<Shared>,
    name: String,
    options: PutOptions,
    chunks: Vec<Bytes>,
    /// Buffers small writes, to avoid an allocation for each.
    last: BytesMut,
    size: u64,
    reserved: usize,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, data: Bytes) -> Result<()> {
        self.shared.reserve(data.len())?;
        self.reserved = self.reserved.saturating_add(data.len());
        self.size = self.size.saturating_add(data.len() as u64);
        self.last.extend_from_slice(&data);
        if self.last.len() >= CHUNK {
            self.chunks.push(self.last.split().freeze());
        }
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<ObjectInfo> {
        let extra = OBJECT_OVERHEAD_BYTES.saturating_add(self.name.len());
        self.shared.reserve(extra)?;
        self.reserved = self.reserved.saturating_add(extra);
        if !self.last.is_empty() {
            let last = self.last.split().freeze();
            self.chunks.push(last);
        }
        let if_absent = self.options.if_absent;
        let info = record::info(&self.name, self.size, std::mem::take(&mut self.options))?;
        let cost = std::mem::take(&mut self.reserved);
        let object = Object { info, chunks: std::mem::take(&mut self.chunks), cost };
        self.shared.insert(object, if_absent).map_err(|(error, cost)| {
            self.shared.release(cost);
            error
        })
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        self.shared.release(self.reserved);
    }
}

/// The URL scheme `memory:`, or `memory:SIZE` with the capacity.
#[async_trait]
impl BackendScheme<dyn Container> for Memory {
    const NAMES: &'static [&'static str] = &["memory"];
    const IN_PROCESS: bool = true;

    fn check(url: &BackendUrl, _: &Settings) -> tempo_settings::Result<()> {
        capacity(url).map(drop)
    }

    async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        Ok(Arc::new(Self::new(capacity(url)?)))
    }
}

fn capacity(url: &BackendUrl) -> tempo_settings::Result<usize> {
    match url.reveal() {
        "" => Ok(DEFAULT_CAPACITY_BYTES),
        size => Size::parse(size).map(|size| size.0).ok_or_else(|| {
            let message = format!("{url}: expected memory: or memory:SIZE");
            tempo_settings::Error::new(CoreKind::BadConfiguration, message)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn put(memory: &Memory, name: &str, size: usize) -> Result<ObjectInfo> {
        let mut upload = memory.put(name, PutOptions::default()).await?;
        upload.write(vec![1; size].into()).await?;
        upload.complete().await
    }

    #[tokio::test]
    async fn the_capacity_at_its_edge() {
        let memory = Memory::new(OBJECT_OVERHEAD_BYTES + 1 + 100);
        assert!(put(&memory, "a", 99).await.is_ok());
        memory.delete("a").await.unwrap();
        assert!(put(&memory, "a", 100).await.is_ok());
        memory.delete("a").await.unwrap();
        assert_eq!(put(&memory, "a", 101).await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
        assert!(put(&memory, "a", 100).await.is_ok(), "what failed takes no room");
        assert_eq!(memory.copy("a", "b").await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
        memory.delete("a").await.unwrap();
        assert_eq!(memory.shared.lock().used, 0);
    }

    #[tokio::test]
    async fn an_upload_that_lost_the_race_takes_no_room() {
        let memory = Memory::default();
        let options = PutOptions { if_absent: true, ..PutOptions::default() };
        let upload = memory.put("a", options).await.unwrap();
        put(&memory, "a", 10).await.unwrap();
        assert_eq!(upload.complete().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        memory.delete("a").await.unwrap();
        assert_eq!(memory.shared.lock().used, 0);
    }
}
