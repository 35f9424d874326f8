//! Opens database files: once per process, and never a file that another process has open.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use redb::{Database, DatabaseError, StorageError};
use tempo_settings::{Error, ErrorKind, private};
use tokio::sync::{mpsc, oneshot};

use super::disk::Disk;
use super::writer::{self, Writer};
use super::{Published, Shared, tables};

/// The open databases of this process, by canonical path.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<DatabaseSlot>>>>> = LazyLock::new(Mutex::default);

/// The database at one path. Its lock is held while it is being opened.
#[derive(Default)]
struct DatabaseSlot {
    shared: Weak<Shared>,
    quota: Option<u64>,
    /// Resolves when the writer thread has closed the database.
    closed: Option<oneshot::Receiver<()>>,
}

/// The writer thread of a database. Dropping this joins it, on a blocking thread if there is a runtime.
pub(super) struct WriterThread(Option<JoinHandle<()>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        let join = move || {
            // The panic hook has reported a panic.
            let _ = thread.join();
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(join)),
            Err(_) => join(),
        }
    }
}

/// Returns the database at `path`: the open one of this process, or a new one on `disk`.
pub(super) async fn shared(path: &Path, quota: Option<u64>, disk: Box<dyn Disk>) -> anyhow::Result<Arc<Shared>> {
    let wanted = path.to_owned();
    let path = tokio::task::spawn_blocking(move || locate(&wanted)).await??;
    let slot = OPEN.lock().unwrap_or_else(PoisonError::into_inner).entry(path.clone()).or_default().clone();
    let mut slot = slot.lock().await;
    if let Some(shared) = slot.shared.upgrade() {
        if slot.quota != quota {
            let message = format!("{} is open with another quota", path.display());
            return Err(Error::new(ErrorKind::BadConfiguration, message).into());
        }
        return Ok(shared);
    }
    if let Some(closed) = slot.closed.take() {
        // Resolves with an error when the thread drops its sender; it sends nothing.
        let _ = closed.await;
    }
    let (requests, receiver) = mpsc::channel(writer::MAX_QUEUED_REQUESTS);
    let (opened_sender, opened) = oneshot::channel();
    let (closing, closed) = oneshot::channel();
    slot.closed = Some(closed);
    let file = path.clone();
    let serve = move || {
        let _closing: oneshot::Sender<()> = closing;
        match open(&file, quota, &*disk) {
            Ok((database, published)) => {
                // If the receiver is gone, so are all senders of requests.
                let _ = opened_sender.send(Ok(published.clone()));
                Writer::new(disk, file, database, published, quota).run(receiver);
            }
            Err(error) => drop(opened_sender.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name("keyvalue-file".into()).spawn(serve);
    let thread = WriterThread(Some(thread.map_err(|error| unusable(&path, &error))?));
    // redb panics over some kinds of damage.
    let published = opened.await.unwrap_or_else(|_| Err(damaged(&path, &"it cannot be read")))?;
    let shared = Arc::new(Shared { published, requests, _thread: thread });
    slot.shared = Arc::downgrade(&shared);
    slot.quota = quota;
    Ok(shared)
}

/// Creates the directories above `path`, and returns its canonical path.
fn locate(path: &Path) -> Result<PathBuf, Error> {
    if let Ok(there) = path.canonicalize() {
        return Ok(there);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |error| {
        let message = format!("cannot make the directory {}: {error}; choose another place", parent.display());
        Error::new(ErrorKind::CannotWrite, message)
    };
    let new: Vec<&Path> = parent.ancestors().take_while(|directory| !directory.exists()).collect();
    private::create_directories(parent).map_err(cannot)?;
    new.into_iter().try_for_each(sync_parent).map_err(cannot)?;
    let parent = parent.canonicalize().map_err(cannot)?;
    let name = path.file_name().ok_or_else(|| unusable(path, &"it names no file"))?;
    Ok(parent.join(name))
}

/// A new file or directory survives a crash of the machine only after its parent directory was synced.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()
}

fn open(path: &Path, quota: Option<u64>, disk: &dyn Disk) -> Result<(Database, Arc<Published>), Error> {
    let new = !path.exists();
    let database = disk.open(path).map_err(|error| explain(path, error))?;
    let broken = |error| match error {
        redb::Error::Io(error) => unusable(path, &error),
        other => damaged(path, &other),
    };
    tables::prepare(&database, quota).map_err(broken)?;
    let entries = tables::snapshot(&database).map_err(broken)?;
    if new {
        sync_parent(path).map_err(|error| unusable(path, &error))?;
    }
    let published = Arc::new(Published::new(entries, path));
    Ok((database, published))
}

fn explain(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            let message = format!("{} is open in another process; stop that, or choose another file", path.display());
            Error::new(ErrorKind::Unavailable, message)
        }
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            unusable(path, &error)
        }
        other => damaged(path, &other),
    }
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::CannotWrite, format!("cannot open {}: {problem}; choose another file", path.display()))
}

fn damaged(path: &Path, problem: &dyn std::fmt::Display) -> Error {
    let message = format!(
        "{} is not a keyvalue database, or is damaged ({problem}); put it elsewhere, or choose another file",
        path.display()
    );
    Error::new(ErrorKind::NotFound, message)
}
