//! A store with a flaw, which the checks and the model must find.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::{Change, Condition, Entry, Increment, KeyValueStore, MemoryStore, Version};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    ForgetsDeletes,
    IgnoresCase,
    IgnoresAbsent,
    IgnoresVersions,
    ForgetsEmptyValues,
    KeepsLifetimes,
    ListsBackwards,
    ListsPrefixAsPattern,
    ListsFromAfterInclusive,
    RepeatsVersions,
    HidesDeletes,
    SwapsChanges,
    HeadSeesNothing,
    LosesIncrements,
    IncrementsBlindly,
    EndsTtlOfCounters,
    ProlongsTtlOfCounters,
    EndsTtlOfReplaced,
    ReplacesBlindly,
}

/// A store with a flaw.
pub(super) struct Flawed {
    flaw: Flaw,
    inner: MemoryStore,
    /// The keys of entries that had a short ttl.
    lives: Mutex<Vec<String>>,
}

impl Flawed {
    pub(super) fn new(flaw: Flaw, inner: MemoryStore) -> Self {
        Self { flaw, inner, lives: Mutex::default() }
    }

    fn key(&self, key: &str) -> String {
        if self.flaw == Flaw::IgnoresCase { key.to_lowercase() } else { key.to_owned() }
    }
}

#[async_trait]
impl KeyValueStore for Flawed {
    async fn get(&self, key: &str) -> crate::Result<Option<Entry>> {
        let mut entry = self.inner.get(&self.key(key)).await?;
        if let Some(entry) = entry.as_mut().filter(|_| self.flaw == Flaw::RepeatsVersions) {
            entry.version = 1;
        }
        Ok(entry.filter(|entry| self.flaw != Flaw::ForgetsEmptyValues || !entry.value.is_empty()))
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> crate::Result<Version> {
        let condition = match (self.flaw, condition) {
            (Flaw::IgnoresAbsent, Condition::Absent) => Condition::Always,
            (Flaw::IgnoresVersions | Flaw::RepeatsVersions, Condition::Version(_)) => Condition::Always,
            (_, condition) => condition,
        };
        let mut ttl = ttl;
        if self.flaw == Flaw::KeepsLifetimes {
            let mut lives = self.lives.lock().unwrap();
            if ttl.is_some_and(|ttl| ttl.as_secs() < 10) {
                lives.push(key.to_owned());
            } else if lives.iter().any(|life| life == key) {
                ttl = Some(Duration::from_millis(1));
            }
        }
        let version = self.inner.set(&self.key(key), value, ttl, condition).await?;
        Ok(if self.flaw == Flaw::RepeatsVersions { 1 } else { version })
    }

    async fn head(&self, key: &str) -> crate::Result<Option<Version>> {
        if self.flaw == Flaw::HeadSeesNothing { Ok(None) } else { Ok(self.get(key).await?.map(|entry| entry.version)) }
    }

    async fn increment(&self, key: &str, increment: Increment) -> crate::Result<i128> {
        let entry = self.get(key).await?.filter(|_| self.flaw != Flaw::IncrementsBlindly);
        let sum = increment.apply(entry.as_ref().map(|entry| &*entry.value));
        let ttl = Some(Duration::from_secs(1)).filter(|_| self.flaw == Flaw::ProlongsTtlOfCounters);
        match self.flaw {
            Flaw::LosesIncrements | Flaw::IncrementsBlindly | Flaw::EndsTtlOfCounters | Flaw::ProlongsTtlOfCounters => {
                let sum = sum?;
                // Without a condition, and slowly, so that tasks overlap.
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.inner.set(key, sum.to_string().into(), ttl, Condition::Always).await?;
                Ok(sum)
            }
            _ => self.inner.increment(&self.key(key), increment).await,
        }
    }

    async fn replace(&self, key: &str, value: Bytes, version: Version) -> crate::Result<Version> {
        match self.flaw {
            Flaw::EndsTtlOfReplaced => self.inner.set(key, value, None, Condition::Version(version)).await,
            Flaw::ReplacesBlindly => self.inner.set(key, value, None, Condition::Always).await,
            _ => self.inner.replace(&self.key(key), value, version).await,
        }
    }

    async fn delete(&self, key: &str) -> crate::Result<()> {
        if self.flaw == Flaw::ForgetsDeletes { Ok(()) } else { self.inner.delete(&self.key(key)).await }
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> crate::Result<Vec<String>> {
        let mut keys = self.inner.keys(prefix, after, limit).await?;
        match (self.flaw, after) {
            (Flaw::ListsBackwards, _) => keys.reverse(),
            (Flaw::ListsPrefixAsPattern, _) => {
                let prefix = prefix.trim_end_matches(['*', '>']);
                keys = self.inner.keys(prefix, after, limit).await?;
            }
            (Flaw::ListsFromAfterInclusive, Some(after)) => keys.insert(0, after.to_owned()),
            _ => {}
        }
        Ok(keys)
    }

    async fn watch(&self) -> crate::Result<BoxStream<'static, crate::Result<Change>>> {
        let changes = self.inner.watch().await?;
        Ok(match self.flaw {
            Flaw::HidesDeletes => {
                changes.filter(|change| std::future::ready(!matches!(change, Ok(Change::Delete { .. })))).boxed()
            }
            Flaw::SwapsChanges => changes
                .chunks(2)
                .flat_map(|mut pair| {
                    pair.reverse();
                    futures::stream::iter(pair)
                })
                .boxed(),
            _ => changes,
        })
    }
}
