//! `Databases`: opens database files once per process, and never a file that another process has open.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use redb::{Database, DatabaseError, StorageError};
use tempo_settings::{Error, ErrorKind, private};
use tokio::sync::oneshot;

use super::{DatabaseFile, Disk, WriterThread};

/// The open databases of one service in this process, by canonical path. `T` is the state that the handles of a database
/// share.
#[derive(Debug)]
pub struct Databases<T> {
    service: &'static str,
    slots: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<Slot<T>>>>>,
}

/// The database at one path. Its lock is held while it is being opened.
#[derive(Debug)]
struct Slot<T> {
    shared: Weak<T>,
    quota: Option<u64>,
    /// Resolves when the writer thread has closed the database.
    closed: Option<oneshot::Receiver<()>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { shared: Weak::new(), quota: None, closed: None }
    }
}

impl<T> Databases<T> {
    /// Creates an empty map. `service` is the name of the service in errors, logs and thread names: `keyvalue`.
    pub fn new(service: &'static str) -> Self {
        Self { service, slots: Mutex::default() }
    }

    /// Returns the state of the database at `path`: that of the open one of this process, or that of a new one on `disk`,
    /// created with the directories above it if missing.
    ///
    /// A new writer thread opens the file and calls `start`, which loads the database and returns the loaded state with the
    /// loop of the writer. The loop runs on the thread until the senders of its requests are dropped. `share` makes the shared
    /// state, which must keep the [`WriterThread`] as the last of its fields.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: another process has the file open, or this one with another `quota`; it is damaged or no
    /// such database (it is left as it is); or it or its directory cannot be created.
    pub async fn open<S: Send + 'static, W: FnOnce()>(
        &self,
        path: &Path,
        quota: Option<u64>,
        disk: Box<dyn Disk>,
        start: impl FnOnce(DatabaseFile, Database) -> Result<(S, W), redb::Error> + Send + 'static,
        share: impl FnOnce(S, WriterThread) -> T,
    ) -> tempo_settings::Result<Arc<T>> {
        let wanted = path.to_owned();
        let path = tokio::task::spawn_blocking(move || locate(&wanted)).await.map_err(Error::internal)??;
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(path.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(shared) = slot.shared.upgrade() {
            if slot.quota != quota {
                let message = format!("{} is open with another quota", path.display());
                return Err(Error::new(ErrorKind::BadConfiguration, message));
            }
            return Ok(shared);
        }
        if let Some(closed) = slot.closed.take() {
            // Resolves with an error when the thread drops its sender; it sends nothing.
            let _ = closed.await;
        }
        let (loaded_sender, loaded) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        slot.closed = Some(closed);
        let (file, service) = (path.clone(), self.service);
        let serve = move || {
            let _closing: oneshot::Sender<()> = closing;
            match load(&file, disk, service, start) {
                Ok((state, run)) => {
                    // If the receiver is gone, so are all senders of requests.
                    let _ = loaded_sender.send(Ok(state));
                    run();
                }
                Err(error) => drop(loaded_sender.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name(format!("{service}-file")).spawn(serve);
        let thread = WriterThread::new(thread.map_err(|error| unusable(&path, error))?);
        // redb panics over some kinds of damage.
        let state = loaded.await.unwrap_or_else(|_| Err(damaged(&path, service, &"it cannot be read")))?;
        let shared = Arc::new(share(state, thread));
        slot.shared = Arc::downgrade(&shared);
        slot.quota = quota;
        Ok(shared)
    }
}

fn load<S, W>(
    path: &Path,
    disk: Box<dyn Disk>,
    service: &str,
    start: impl FnOnce(DatabaseFile, Database) -> Result<(S, W), redb::Error>,
) -> Result<(S, W), Error> {
    let new = !path.exists();
    let file = DatabaseFile::new(disk, path.to_owned(), service);
    let database = file.open().map_err(|error| explain(path, service, error))?;
    let started = start(file, database).map_err(|error| match error {
        redb::Error::Io(error) => unusable(path, error),
        other => damaged(path, service, &other),
    })?;
    if new {
        sync_parent(path).map_err(|error| unusable(path, error))?;
    }
    Ok(started)
}

/// Creates the directories above `path`, and returns its canonical path.
fn locate(path: &Path) -> Result<PathBuf, Error> {
    if let Ok(there) = path.canonicalize() {
        return Ok(there);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |error| {
        let message = format!("cannot make the directory {}", parent.display());
        Error::new(ErrorKind::CannotWrite, message).with_source(error).with_advice("choose another place")
    };
    let new: Vec<&Path> = parent.ancestors().take_while(|directory| !directory.exists()).collect();
    private::create_directories(parent).map_err(cannot)?;
    new.into_iter().try_for_each(sync_parent).map_err(cannot)?;
    let parent = parent.canonicalize().map_err(cannot)?;
    let name = path.file_name().ok_or_else(|| unusable(path, "it names no file"))?;
    Ok(parent.join(name))
}

/// A new file or directory survives a crash of the machine only after its parent directory was synced.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()
}

fn explain(path: &Path, service: &str, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            let message = format!("{} is open in another process; stop that, or choose another file", path.display());
            Error::new(ErrorKind::Unavailable, message)
        }
        DatabaseError::Storage(StorageError::Io(error))
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            unusable(path, error)
        }
        other => damaged(path, service, &other),
    }
}

fn unusable(path: &Path, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let message = format!("cannot open {}", path.display());
    Error::new(ErrorKind::CannotWrite, message).with_source(cause).with_advice("choose another file")
}

fn damaged(path: &Path, service: &str, problem: &dyn Display) -> Error {
    let message = format!(
        "{} is not a {service} database, or is damaged ({problem}); put it elsewhere, or choose another file",
        path.display()
    );
    Error::new(ErrorKind::NotFound, message)
}
