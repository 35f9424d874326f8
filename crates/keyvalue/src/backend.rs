//! The trait that a keyvalue backend implements.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{Increment, Result, increment};

/// The version of an entry. Every write of a key changes it, and versions are never reused, not even after a deletion.
/// Only equality has a meaning.
pub type Version = u64;

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// Its version.
    pub version: Version,
}

impl Entry {
    /// Creates an entry.
    pub fn new(value: impl Into<Bytes>, version: Version) -> Self {
        Self { value: value.into(), version }
    }
}

/// Condition of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// No condition.
    #[default]
    Always,
    /// There is no entry under the key.
    Absent,
    /// The entry has this version.
    Version(Version),
}

/// A change of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry under `key` was written.
    Set {
        /// The key.
        key: String,
        /// The value it has now.
        value: Bytes,
    },
    /// The entry under `key` was deleted, or has expired.
    Delete {
        /// The key.
        key: String,
    },
}

/// A store: keys and values that outlive the component, except in memory.
///
/// The host validates keys (1-512 bytes of UTF-8, in which every character is data) and value sizes before it calls. An
/// operation succeeds once the backend has acknowledged it. Backends evaluate conditions atomically with the write,
/// never by reading first.
///
/// Required are reads, conditional writes, lists and changes. The others have a default implementation on these; a
/// backend overrides those that it can do in one step.
#[async_trait]
pub trait KeyValueStore: Send + Sync + 'static {
    /// Reads the entry under `key`; `None` if there is none or it has expired.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Returns the version of the entry under `key`; `None` if there is none or it has expired.
    ///
    /// The default reads the entry. Override it if the backend can do without the value.
    async fn head(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.get(key).await?.map(|entry| entry.version))
    }

    /// Returns whether there is an entry under `key`.
    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.head(key).await?.is_some())
    }

    /// Writes `value` under `key` if `condition` holds, and returns the new version. The entry expires after `ttl`;
    /// without one it never does, even if it had a lifetime before.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` if the condition does not hold. `InvalidArgument` if the store does not support lifetimes.
    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version>;

    /// Replaces the value of the entry that has `version`, and returns the new version. The entry keeps its lifetime: it
    /// expires when it would have expired before.
    ///
    /// The default is for stores without lifetimes: it writes an entry that never expires. A store with lifetimes
    /// overrides it.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` if the entry under `key` has another version, has expired, or there is none.
    async fn replace(&self, key: &str, value: Bytes, version: Version) -> Result<Version> {
        self.set(key, value, None, Condition::Version(version)).await
    }

    /// Adds to the counter under `key` and returns the sum, atomically. The entry keeps its lifetime; a new one never
    /// expires.
    ///
    /// The default reads the entry and [replaces](Self::replace) it, until no other writer comes between.
    ///
    /// # Errors
    ///
    /// Those of [`Increment::apply`]; then the entry is unchanged.
    async fn increment(&self, key: &str, increment: Increment) -> Result<i128> {
        increment::by_conditional_writes(self, key, increment).await
    }

    /// Deletes the entry under `key`, if any.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Lists the first `limit` keys that begin with `prefix` and follow `after`, in byte order.
    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;

    /// Streams every change from now on, in order per key. The stream survives a lost connection, including the changes
    /// made meanwhile. A backend may leave out a value that was replaced before its delivery, as JetStream does.
    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>>;
}
