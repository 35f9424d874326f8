//! The backend `file:PATH`: one database file of redb, which survives a crash of the process and of the machine.

mod load;
mod open;
mod record;
mod tables;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tempo_backend::database::{SystemDisk, WriterThread};
use tempo_backend::{BackendContext, BackendScheme, Fault};
use tempo_settings::{BackendUrl, Error, ErrorKind, Flag, Settings, Size};
use tokio::sync::{mpsc, oneshot};

use self::writer::Request;
use crate::engine::{self, Change, Clock, Engine, Log, Recorded, failed};
use crate::{Broker, DeadLetter, Result};

/// The real disk. redb's cache is small: messages are usually read soon after they are written.
const DISK: SystemDisk = SystemDisk::new(2 << 20);
/// Default capacity of a broker, in bytes.
const DEFAULT_CAPACITY_BYTES: usize = 1 << 30;
const MAX_FLAG: Flag =
    Flag::new("max-file-broker", "SIZE", "Capacity of a file: broker, unless its URL has a ?quota=SIZE")
        .default("1GiB")
        .of::<Size>();

/// The URL scheme `file:` of database files: `file:./data/messages.redb`, or `file:./data/messages.redb?quota=10GiB`,
/// which takes precedence over `--max-file-broker`. A missing file is created.
#[derive(Clone, Copy, Debug)]
pub struct File;

#[async_trait]
impl BackendScheme<dyn Broker> for File {
    const NAMES: &'static [&'static str] = &["file"];

    fn flags() -> Vec<Flag> {
        vec![MAX_FLAG]
    }

    fn check(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<()> {
        path_and_capacity(url, settings).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Broker>> {
        let (path, max) = path_and_capacity(url, context.settings)?;
        let broker = Arc::new(FileBroker::with_capacity(&path, max).await?);
        if let Some(health) = context.health {
            broker.engine.log().fault.register(health, &broker);
        }
        Ok(broker)
    }
}

fn path_and_capacity(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<(PathBuf, usize)> {
    let Size(max) = settings.require(&MAX_FLAG)?;
    let path = url.path().ok_or_else(|| {
        let message = "--messaging: expected the path of a database file, such as file:./messages.redb";
        Error::new(ErrorKind::BadConfiguration, message)
    })?;
    Ok((path, url.quota()?.map_or(max, |quota| usize::try_from(quota).unwrap_or(usize::MAX))))
}

/// A broker that stores its messages in a database file.
///
/// It delivers as [`MemoryBroker`](crate::MemoryBroker) does. A dedicated thread commits waiting operations in groups;
/// an operation completes once its changes are durable. A delivery is counted before it is returned, so a message that
/// crashes the process is not redelivered forever.
///
/// While the disk fails or is full, the broker accepts no messages, and pending operations wait until they can be
/// written.
///
/// The file closes when the last clone, consumer and receipt are dropped, after all accepted changes are committed.
#[derive(Clone)]
pub struct FileBroker {
    engine: Arc<Engine<FileLog>>,
}

impl fmt::Debug for FileBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBroker").finish_non_exhaustive()
    }
}

impl FileBroker {
    /// Opens the database at `path`, creating it and its parent directories if missing, with a capacity of 1 GiB.
    /// Brokers on one path in one process share the database.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: another process has the file open; it is damaged or no such database (it is left as
    /// it is); or it or its directory cannot be created.
    pub async fn open(path: &Path) -> tempo_settings::Result<Self> {
        Self::with_capacity(path, DEFAULT_CAPACITY_BYTES).await
    }

    /// Like [`open`](Self::open), with a capacity of `max` bytes: each message and dead letter counts its
    /// [`size`](crate::Message::size) and 256 more.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub async fn with_capacity(path: &Path, max: usize) -> tempo_settings::Result<Self> {
        Ok(Self { engine: open::shared(path, max, Clock::default(), Box::new(DISK)).await? })
    }

    #[cfg(test)]
    pub(crate) async fn with_clock(path: &Path, clock: Clock) -> tempo_settings::Result<Self> {
        Ok(Self { engine: open::shared(path, DEFAULT_CAPACITY_BYTES, clock, Box::new(DISK)).await? })
    }
}

engine::broker!(FileBroker);

/// Sends requests to the writer thread. The last field is dropped last: the thread owns the database, and ends when all
/// senders are dropped.
pub(crate) struct FileLog {
    requests: mpsc::Sender<Request>,
    fault: Fault,
    _thread: WriterThread,
}

impl Log for FileLog {
    type Permit = mpsc::OwnedPermit<Request>;

    fn refusal(&self) -> Option<crate::Error> {
        let refused = || crate::Error::new(crate::ErrorKind::Unavailable, "the broker cannot write to its disk");
        self.fault.is_raised().then(refused)
    }

    // Fails only if the writer thread panicked.
    async fn reserve(&self) -> Result<Self::Permit> {
        self.requests.clone().reserve_owned().await.map_err(|_| failed())
    }

    fn try_reserve(&self) -> Option<Self::Permit> {
        self.requests.clone().try_reserve_owned().ok()
    }

    fn record(&self, permit: Self::Permit, changes: Vec<Change>, read: Vec<u64>) -> Recorded {
        let (reply, answer) = oneshot::channel();
        permit.send(Request::Record { changes, read, reply });
        Recorded::Later(answer)
    }

    async fn letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let (reply, answer) = oneshot::channel();
        self.reserve().await?.send(Request::Letters { after, limit, reply });
        answer.await.unwrap_or_else(|_| Err(failed()))
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
