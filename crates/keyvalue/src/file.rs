//! The backend `file:PATH`: one database file of redb, which survives a crash of the process and of the machine.

mod open;
mod record;
mod tables;
mod usage;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_backend::database::{self, SystemDisk, WriterThread};
use tempo_backend::{BackendContext, BackendScheme, Fault};
use tempo_settings::{BackendUrl, Settings};
use tokio::sync::{mpsc, oneshot};

use self::tables::Snapshot;
use self::writer::{Operation, Outcome, Request};
use crate::KEYVALUE;
use crate::changes::Watchers;
use crate::{Change, Condition, Entry, Error, ErrorKind, Increment, KeyValueStore, Result, Version};

/// The real disk. redb's cache is the larger one here: keys and values are read again and again.
const DISK: SystemDisk = SystemDisk::new(64 << 20);

/// The scheme `file:`, whose URLs name a database file: `file:./data/app.redb`, or `file:./data/app.redb?quota=10GiB`. It
/// is made if it is not there.
#[derive(Clone, Copy, Debug)]
pub struct File;

#[async_trait]
impl BackendScheme<dyn KeyValueStore> for File {
    const NAMES: &'static [&'static str] = &["file"];

    fn check(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<()> {
        path_and_quota(url, settings).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn KeyValueStore>> {
        let (path, quota) = path_and_quota(url, context.settings)?;
        let store = Arc::new(FileStore { shared: open::shared(&path, quota, Box::new(DISK)).await? });
        if let Some(health) = context.health {
            store.shared.published.fault.register(health, &store);
        }
        Ok(store)
    }
}

fn path_and_quota(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<(PathBuf, Option<u64>)> {
    let bad = || settings.invalid(&KEYVALUE, "expected the path of a database file, such as file:./app.redb");
    Ok((url.path().ok_or_else(bad)?, url.quota()?))
}

/// A store in one database file.
///
/// Writes are done by a thread of their own, which commits as many as wait at once: an acknowledged write is on the
/// disk, and sixty-four at once cost little more than one. Conditions are judged there too.
///
/// If the disk fails or is full, the file is opened again at once, so that it can be read, and a write is tried from time
/// to time until one succeeds; those between fail. What became of the writes that met the failure is not known.
///
/// A quota bounds what the entries take: of each its key and value, and 64 bytes more. The file may take about twice as
/// much.
///
/// Expiry follows the clock of the machine. The file is closed when the last clone and the last watcher are dropped,
/// after what was accepted has been committed.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = &self.shared.published.fault;
        f.debug_struct("FileStore").field("has_failed", &fault.is_raised()).finish_non_exhaustive()
    }
}

/// State shared by the handles of a database. The last field is dropped last: the thread owns the database, and ends
/// when all senders are dropped.
struct Shared {
    published: Arc<Published>,
    requests: mpsc::Sender<Request>,
    _thread: WriterThread,
}

/// State published by the writer thread after each commit.
struct Published {
    /// The entries after the last commit; none while the file cannot be opened. Keeping them at hand spares each read the
    /// beginning of a transaction, which costs more than the read; pages that a commit frees can be used again one commit
    /// later.
    entries: RwLock<Option<Arc<Snapshot>>>,
    watchers: Mutex<Watchers>,
    fault: Fault,
    /// Whether a read has failed since the file was opened.
    doubt: AtomicBool,
}

impl Published {
    fn new(entries: Snapshot, fault: Fault) -> Self {
        Self {
            entries: RwLock::new(Some(Arc::new(entries))),
            watchers: Mutex::default(),
            fault,
            doubt: AtomicBool::new(false),
        }
    }

    fn entries(&self) -> Option<Arc<Snapshot>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes a commit, to readers first.
    fn publish(&self, entries: Snapshot, changes: &[Change]) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(entries));
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().for_each(|change| watchers.publish(change));
    }

    /// Withdraws the entries before the file is closed.
    fn withdraw(&self) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn take_doubt(&self) -> bool {
        self.doubt.load(Relaxed) && self.doubt.swap(false, Relaxed)
    }
}

impl FileStore {
    /// Opens the database at `path`, or makes it and the directories above it. A path that this process has open
    /// already is shared.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: another process has the file open, it is not such a database or is damaged (it is left
    /// as it is), or it or its directory cannot be made.
    pub async fn open(path: &Path) -> tempo_settings::Result<Self> {
        Ok(Self { shared: open::shared(path, None, Box::new(DISK)).await? })
    }

    /// The same, but its entries may take `quota` bytes. If they take more, they can be read and deleted.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), or this process has the path open with another quota.
    pub async fn with_quota(path: &Path, quota: u64) -> tempo_settings::Result<Self> {
        Ok(Self { shared: open::shared(path, Some(quota), Box::new(DISK)).await? })
    }

    async fn write(&self, operation: Operation) -> Result<Outcome> {
        let (reply, outcome) = oneshot::channel();
        // Both fail only if the thread has ended, and it ends before the store only if it panics.
        let sent = self.shared.requests.send(Request { operation, reply }).await;
        sent.map_err(|_| failed())?;
        outcome.await.map_err(|_| failed())?
    }
}

#[async_trait]
impl KeyValueStore for FileStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        // Read where it is called: the page is in the cache of redb or of the system, and handing the work to another
        // thread would cost more than it. A page that is in neither is one read of the disk, some 100 µs, during which
        // this thread serves nothing else.
        read(&self.shared, |entries| tables::get(entries, key))
    }

    async fn head(&self, key: &str) -> Result<Option<Version>> {
        read(&self.shared, |entries| tables::head(entries, key))
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        let set = Operation::Set { key: key.to_owned(), value, expires: ttl.map(record::after), condition };
        Ok(self.write(set).await?.version)
    }

    async fn replace(&self, key: &str, value: Bytes, version: Version) -> Result<Version> {
        let replace = Operation::Replace { key: key.to_owned(), value, version };
        Ok(self.write(replace).await?.version)
    }

    async fn increment(&self, key: &str, increment: Increment) -> Result<i128> {
        Ok(self.write(Operation::Increment { key: key.to_owned(), increment }).await?.sum)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.write(Operation::Delete { key: key.to_owned() }).await.map(drop)
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        // Not where it is called: keys lie beside their values, so a page of large ones is a lot to read.
        let (prefix, after, shared) = (prefix.to_owned(), after.map(str::to_owned), self.shared.clone());
        let read = move || read(&shared, |entries| tables::keys(entries, &prefix, after.as_deref(), limit));
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
        Ok(self.shared.published.watchers.lock().unwrap_or_else(PoisonError::into_inner).watch(sweep))
    }
}

/// Reads the entries. A read that meets the moment in which the file was opened again is repeated; one that fails has
/// the writer open it again.
fn read<R>(shared: &Shared, read: impl Fn(&Snapshot) -> std::result::Result<R, redb::Error>) -> Result<R> {
    let entries = shared.published.entries().ok_or_else(failed)?;
    let error = match guarded(|| read(&entries)) {
        Ok(found) => return found.map_err(|error| report(&error)),
        Err(error) => error,
    };
    let now = shared.published.entries().ok_or_else(failed)?;
    if !Arc::ptr_eq(&entries, &now)
        && let Ok(found) = guarded(|| read(&now))
    {
        return found.map_err(|error| report(&error));
    }
    shared.published.doubt.store(true, Relaxed);
    let (reply, _) = oneshot::channel();
    // If there is no room, something is on its way to the writer already.
    let _ = shared.requests.try_send(Request { operation: Operation::Sweep, reply });
    Err(error)
}

/// Runs a read. redb panics over pages that make no sense, which must not end more than this one read. The outer failure
/// is one of the disk.
fn guarded<R>(
    read: impl FnOnce() -> std::result::Result<R, redb::Error>,
) -> Result<std::result::Result<R, redb::Error>> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(Err(error)) if database::is_disk_failure(&error) => Err(report(&error)),
        Ok(result) => Ok(result),
        Err(_) => Ok(Err(redb::Error::Corrupted("a page makes no sense".to_owned()))),
    }
}

/// Logs the failure of a read.
fn report(error: &redb::Error) -> Error {
    tracing::error!(%error, "a keyvalue database failed");
    explain(error)
}

/// The error that a guest gets when the database fails. The host's log has the cause.
fn explain(error: &redb::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error {
        redb::Error::Corrupted(_) => Error::new(ErrorKind::Other, "the store is damaged"),
        redb::Error::Io(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) => {
            Error::new(ErrorKind::QuotaExceeded, "the disk is full")
        }
        _ => failed(),
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store has failed")
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod quotas;
#[cfg(test)]
mod tests;
