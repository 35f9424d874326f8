//! The backend `memory:`, which is lost when the process ends. For tests, caches and experiments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::{BackendUrl, Flag, Size};

use crate::changes::Watchers;
use crate::{Change, Condition, Entry, Error, ErrorKind, Increment, KeyValueStore, Result, Version};

/// Default capacity of a store, in bytes.
const DEFAULT_CAPACITY_BYTES: usize = 256 << 20;
const MAX_FLAG: Flag =
    Flag::new("max-memory-store", "SIZE", "Capacity of a memory: store").default("256MiB").of::<Size>();
/// Bytes counted per entry besides its key and value.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// The URL scheme `memory:`. The rest of the URL distinguishes stores of one component: `memory:sessions`.
#[derive(Clone, Copy, Debug)]
pub struct Memory;

#[async_trait]
impl BackendScheme<dyn KeyValueStore> for Memory {
    const NAMES: &'static [&'static str] = &["memory"];
    const IN_PROCESS: bool = true;

    fn flags() -> Vec<Flag> {
        vec![MAX_FLAG]
    }

    async fn open(_: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn KeyValueStore>> {
        let Size(max) = context.settings.require(&MAX_FLAG)?;
        Ok(Arc::new(MemoryStore::new(max)))
    }
}

/// A store in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content();
        let mut debug = f.debug_struct("MemoryStore");
        debug.field("entries", &content.entries.len()).field("bytes", &content.size).finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    /// Creates a store with a capacity of 256 MiB.
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY_BYTES)
    }
}

#[derive(Default)]
struct Content {
    /// Used and maximum bytes.
    size: usize,
    max: usize,
    entries: BTreeMap<String, Kept>,
    /// Expiring entries, the earliest first.
    expiring: BTreeSet<(Instant, String)>,
    /// Version of the last write.
    version: Version,
    watchers: Watchers,
}

struct Kept {
    entry: Entry,
    expires: Option<Instant>,
}

impl MemoryStore {
    /// Creates a store with a capacity of `max` bytes: each entry counts its key, its value and 128 more.
    pub fn new(max: usize) -> Self {
        Self { content: Arc::new(Mutex::new(Content { max, ..Content::default() })) }
    }

    /// Locks the content and removes expired entries.
    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic under the lock leaves consistent entries.
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.sweep(Instant::now());
        content
    }
}

impl Content {
    fn sweep(&mut self, now: Instant) {
        while self.expiring.first().is_some_and(|(expires, _)| *expires <= now) {
            let Some((_, key)) = self.expiring.pop_first() else { return };
            self.remove(&key);
            self.watchers.publish(&Change::Delete { key });
        }
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some(kept) = self.entries.remove(key) else { return false };
        self.size = self.size.saturating_sub(size(key, &kept.entry.value));
        if let Some(expires) = kept.expires {
            self.expiring.remove(&(expires, key.to_owned()));
        }
        true
    }

    fn version(&self, key: &str) -> Option<Version> {
        self.entries.get(key).map(|kept| kept.entry.version)
    }

    fn holds(&self, key: &str, condition: Condition) -> bool {
        let version = self.version(key);
        match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(expected) => version == Some(expected),
        }
    }

    /// Returns when the entry under `key` expires, if it does.
    fn expiry(&self, key: &str) -> Option<Instant> {
        self.entries.get(key)?.expires
    }

    /// Writes an entry that expires at `expires`, and publishes the change.
    fn put(&mut self, key: &str, value: Bytes, expires: Option<Instant>) -> Result<Version> {
        let old = self.entries.get(key).map_or(0, |kept| size(key, &kept.entry.value));
        let total = self.size.saturating_sub(old).saturating_add(size(key, &value));
        if total > self.max {
            return Err(Error::new(ErrorKind::QuotaExceeded, "the store is full"));
        }
        self.remove(key);
        self.size = total;
        self.version = self.version.wrapping_add(1);
        let version = self.version;
        if let Some(expires) = expires {
            self.expiring.insert((expires, key.to_owned()));
        }
        let entry = Entry { value: value.clone(), version };
        self.entries.insert(key.to_owned(), Kept { entry, expires });
        if !self.watchers.is_empty() {
            self.watchers.publish(&Change::Set { key: key.to_owned(), value });
        }
        Ok(version)
    }
}

#[async_trait]
impl KeyValueStore for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.content().entries.get(key).map(|kept| kept.entry.clone()))
    }

    async fn head(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.content().version(key))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        let mut content = self.content();
        if !content.holds(key, condition) {
            return Err(precondition_failed());
        }
        // A time beyond the clock's range means no expiry.
        content.put(key, value, ttl.and_then(|ttl| Instant::now().checked_add(ttl)))
    }

    async fn replace(&self, key: &str, value: Bytes, version: Version) -> Result<Version> {
        let mut content = self.content();
        if !content.holds(key, Condition::Version(version)) {
            return Err(precondition_failed());
        }
        let expires = content.expiry(key);
        content.put(key, value, expires)
    }

    async fn increment(&self, key: &str, increment: Increment) -> Result<i128> {
        let mut content = self.content();
        let sum = increment.apply(content.entries.get(key).map(|kept| &*kept.entry.value))?;
        let expires = content.expiry(key);
        content.put(key, Bytes::from(sum.to_string()), expires)?;
        Ok(sum)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let mut content = self.content();
        if content.remove(key) {
            content.watchers.publish(&Change::Delete { key: key.to_owned() });
        }
        Ok(())
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let content = self.content();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let keys = content.entries.range::<str, _>((start, Bound::Unbounded)).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        let content: Weak<Mutex<Content>> = Arc::downgrade(&self.content);
        let sweep = move || {
            let content = content.upgrade();
            async move {
                if let Some(content) = content {
                    drop(MemoryStore { content }.content());
                }
            }
        };
        Ok(self.content().watchers.watch(sweep))
    }
}

fn size(key: &str, value: &[u8]) -> usize {
    key.len().saturating_add(value.len()).saturating_add(ENTRY_OVERHEAD_BYTES)
}

/// The error of an unmet condition.
pub(crate) fn precondition_failed() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the entry does not meet the condition")
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn an_end_of_life_is_a_change() {
        let store = MemoryStore::default();
        let mut changes = store.watch().await.unwrap();
        let value = Bytes::from("v");
        store.set("k", value.clone(), Some(Duration::from_millis(1)), Condition::Always).await.unwrap();
        assert_eq!(changes.next().await, Some(Ok(Change::Set { key: "k".into(), value })));
        assert_eq!(changes.next().await, Some(Ok(Change::Delete { key: "k".into() })));
    }

    #[tokio::test]
    async fn the_longest_life_is_for_ever() {
        let store = MemoryStore::default();
        store.set("k", Bytes::new(), Some(Duration::MAX), Condition::Always).await.unwrap();
        assert!(store.get("k").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn size_at_the_edge() {
        let store = MemoryStore::new(2 * (1 + ENTRY_OVERHEAD_BYTES) + 10);
        let set = async |key: &str, length: usize| {
            store.set(key, vec![0; length].into(), None, Condition::Always).await.map_err(|error| error.kind())
        };
        set("a", 5).await.unwrap();
        set("b", 4).await.unwrap();
        set("b", 5).await.unwrap();
        assert_eq!(set("b", 6).await, Err(ErrorKind::QuotaExceeded));
        assert_eq!(store.get("b").await.unwrap().unwrap().value.len(), 5, "what did not fit was written");
        assert_eq!(set("c", 0).await, Err(ErrorKind::QuotaExceeded));
        store.delete("a").await.unwrap();
        set("b", 6).await.unwrap();
        let moment = Some(Duration::from_millis(1));
        store.set("b", Bytes::new(), moment, Condition::Always).await.unwrap();
        while store.get("b").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        set("a", 5).await.unwrap();
        set("b", 5).await.unwrap();
    }
}
