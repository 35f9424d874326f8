//! The backend `file:PATH`: one database file of redb, which survives a crash of the process and of the machine.

mod open;
mod record;
mod tables;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_core::{Boot, Scheme, StoreUrl};
use tokio::sync::{mpsc, oneshot};

use self::open::Thread;
use self::tables::Snapshot;
use self::writer::{Operation, Request};
use crate::changes::Watchers;
use crate::stores::KEYVALUE;
use crate::{Change, Condition, Entry, Error, ErrorKind, Result, Store, Version};

/// The scheme `file:`, whose URLs name a database file: `file:./data/app.redb`. It is made if it is not there.
pub struct File;

impl Scheme<dyn Store> for File {
    const NAMES: &'static [&'static str] = &["file"];

    async fn open(url: &StoreUrl, boot: Boot<'_>) -> anyhow::Result<Arc<dyn Store>> {
        let path = url.path().ok_or_else(|| {
            boot.settings.invalid(&KEYVALUE, "expected the path of a database file, such as file:./app.redb")
        })?;
        Ok(Arc::new(FileStore::open(&path).await?))
    }
}

/// A store in one database file.
///
/// Writes are done by a thread of their own, which commits as many as wait at once: an acknowledged write is on the
/// disk, and sixty-four at once cost little more than one. Conditions are judged there too. If the disk fails, every
/// later operation fails until the store is opened again.
///
/// Expiry follows the clock of the machine. The file is closed when the last clone and the last watcher are dropped,
/// after what was accepted has been committed.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

/// What all handles of one database share. The last field is dropped last: the thread, which owns the database, ends
/// when nobody can send to it any more.
struct Shared {
    public: Arc<Public>,
    requests: mpsc::Sender<Request>,
    _thread: Thread,
}

/// What the thread makes known.
struct Public {
    /// The entries after the last commit. Keeping them at hand spares each read the beginning of a transaction, which
    /// costs more than the read; pages that a commit frees can be used again one commit later.
    entries: RwLock<Arc<Snapshot>>,
    watchers: Mutex<Watchers>,
}

impl Public {
    fn entries(&self) -> Arc<Snapshot> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a commit known, to readers first.
    fn publish(&self, entries: Snapshot, changes: &[Change]) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries);
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().for_each(|change| watchers.publish(change));
    }
}

impl FileStore {
    /// Opens the database at `path`, or makes it and the directories above it. A path that this process has open
    /// already is shared.
    ///
    /// # Errors
    ///
    /// A [`tempo_core::Error`]: another process has the file open, it is not such a database or is damaged (it is left
    /// as it is), or it or its directory cannot be made.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { shared: open::shared(path).await? })
    }

    async fn write(&self, operation: Operation) -> Result<Version> {
        let (reply, outcome) = oneshot::channel();
        // Both fail only if the thread has ended, and it ends before the store only if it panics.
        let sent = self.shared.requests.send(Request { operation, reply }).await;
        sent.map_err(|_| failed())?;
        outcome.await.map_err(|_| failed())?
    }
}

#[async_trait]
impl Store for FileStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        // Read where it is called: the page is in the cache of redb or of the system, and handing the work to another
        // thread would cost more than it. A page that is in neither is one read of the disk, some 100 µs, during which
        // this thread serves nothing else.
        guarded(|| tables::get(&self.shared.public.entries(), key))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        self.write(Operation::Set { key: key.to_owned(), value, expires: ttl.map(record::after), condition }).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.write(Operation::Delete { key: key.to_owned() }).await.map(drop)
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        // Not where it is called: keys lie beside their values, so a page of large ones is a lot to read.
        let entries = self.shared.public.entries();
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let read = move || guarded(|| tables::keys(&entries, &prefix, after.as_deref(), limit));
        tokio::task::spawn_blocking(read).await.map_err(|_| failed())?
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        let shared = self.shared.clone();
        let sweep = move || {
            let store = Self { shared: shared.clone() };
            async move {
                // An error has been reported where it arose, and the next write meets it too.
                let _ = store.write(Operation::Sweep).await;
            }
        };
        Ok(self.shared.public.watchers.lock().unwrap_or_else(PoisonError::into_inner).watch(sweep))
    }
}

/// Runs a read. redb panics over pages that make no sense, which must not end more than this one read.
fn guarded<R>(read: impl FnOnce() -> std::result::Result<R, redb::Error>) -> Result<R> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| report(&error)),
        Err(_) => Err(failed()),
    }
}

/// What a guest is told when the database fails. The host's log says more.
fn report(error: &redb::Error) -> Error {
    tracing::error!(%error, "a keyvalue database failed");
    match error {
        redb::Error::Corrupted(_) => Error::new(ErrorKind::Other, "the store is damaged"),
        _ => failed(),
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store has failed")
}

#[cfg(test)]
mod tests;
