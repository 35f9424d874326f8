//! The backend `memory:`, which forgets everything when the process ends. For tests, caches and trying things out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_core::{Boot, Scheme, StoreUrl};

use crate::changes::Watchers;
use crate::{Change, Condition, Entry, Error, ErrorKind, Result, Store, Version};

/// The scheme `memory:`. What follows the colon tells stores of one component apart: `memory:sessions`.
pub struct Memory;

impl Scheme<dyn Store> for Memory {
    const NAMES: &'static [&'static str] = &["memory"];

    async fn open(_: &StoreUrl, _: Boot<'_>) -> anyhow::Result<Arc<dyn Store>> {
        Ok(Arc::new(MemoryStore::default()))
    }
}

/// A store in memory. It has no bound of its own but those on keys and values.
#[derive(Clone, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    entries: BTreeMap<String, Kept>,
    /// Every entry that expires, the next one first.
    expiring: BTreeSet<(Instant, String)>,
    /// Of the last write.
    version: Version,
    watchers: Watchers,
}

struct Kept {
    entry: Entry,
    expires: Option<Instant>,
}

impl MemoryStore {
    /// The content after everything that has expired was removed.
    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic under the lock leaves nothing half done that a reader could mistake.
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.sweep(Instant::now());
        content
    }
}

impl Content {
    fn sweep(&mut self, now: Instant) {
        while self.expiring.first().is_some_and(|(expires, _)| *expires <= now) {
            let Some((_, key)) = self.expiring.pop_first() else { return };
            self.entries.remove(&key);
            self.watchers.publish(&Change::Delete { key });
        }
    }

    fn remove(&mut self, key: &str) -> bool {
        let Some(kept) = self.entries.remove(key) else { return false };
        if let Some(expires) = kept.expires {
            self.expiring.remove(&(expires, key.to_owned()));
        }
        true
    }

    fn holds(&self, key: &str, condition: Condition) -> bool {
        let version = self.entries.get(key).map(|kept| kept.entry.version);
        match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(expected) => version == Some(expected),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.content().entries.get(key).map(|kept| kept.entry.clone()))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        let mut content = self.content();
        if !content.holds(key, condition) {
            return Err(precondition_failed());
        }
        content.remove(key);
        content.version = content.version.wrapping_add(1);
        let version = content.version;
        // A time that no clock can show is as good as none.
        let expires = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        if let Some(expires) = expires {
            content.expiring.insert((expires, key.to_owned()));
        }
        let entry = Entry { value: value.clone(), version };
        content.entries.insert(key.to_owned(), Kept { entry, expires });
        if !content.watchers.is_empty() {
            content.watchers.publish(&Change::Set { key: key.to_owned(), value });
        }
        Ok(version)
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

/// The error of a condition that does not hold.
pub(crate) fn precondition_failed() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the entry is another than was asked for")
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::conformance;

    #[tokio::test(flavor = "multi_thread")]
    async fn conforms() {
        conformance::run(Arc::new(MemoryStore::default())).await.unwrap();
    }

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
}
