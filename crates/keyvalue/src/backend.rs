//! What a backend of keyvalue implements.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::Result;

/// The version of an entry. It changes with every write of its key, and a version that was never comes back, not even
/// after the entry was deleted. Only equality has a meaning.
pub type Version = u64;

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// Its version.
    pub version: Version,
}

/// What must be so for a write to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// There is no entry.
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

/// One store: keys and values that outlive the component, unless the backend is one that forgets.
///
/// The host has checked keys (1-512 bytes of UTF-8, in which every character is data) and the size of values before it
/// calls. A success is reported only once the backend has acknowledged it. A backend never reads and then writes:
/// conditions are judged where the data is.
///
/// The host builds increments and compare-and-swap on [`get`](KeyValueStore::get) and a conditional
/// [`set`](KeyValueStore::set).
#[async_trait]
pub trait KeyValueStore: Send + Sync + 'static {
    /// The entry under `key`, or `None` if there is none or it has expired.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Writes `value` under `key` if `condition` holds, and tells the version it now has. It lives for `ttl`, or for
    /// ever: a write without `ttl` ends the lifetime that an earlier one gave.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` if the condition does not hold. `InvalidArgument` if this store cannot end an entry's life.
    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version>;

    /// Deletes the entry under `key`; it is no error if there is none.
    async fn delete(&self, key: &str) -> Result<()>;

    /// The first `limit` keys that begin with `prefix` and come after `after`, in the order of their bytes.
    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;

    /// Every change from now on, in order for each key. The stream survives a lost connection: what changed in the
    /// meantime comes after it.
    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>>;
}
