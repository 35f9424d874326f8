//! The backend `file:PATH`: one database file of redb, which survives a crash of the process and of the machine.

mod disk;
mod load;
mod open;
mod record;
mod tables;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tempo_backend::{BackendContext, BackendScheme, Fault};
use tempo_settings::{BackendUrl, Error, ErrorKind, Flag, Size};
use tokio::sync::{mpsc, oneshot};

use self::disk::System;
use self::open::Thread;
use self::writer::Request;
use crate::engine::{self, Change, Clock, Engine, Log, Recorded, failed};
use crate::{Broker, DeadLetter, Result};

/// What the messages of one broker may take, in bytes.
const MAX: usize = 1 << 30;
const MAX_FLAG: Flag = Flag::new(
    "max-file-broker",
    "SIZE",
    "What the messages of a file: broker may take, unless its URL has a ?quota=SIZE",
)
.default("1GiB");

/// The scheme `file:`, whose URLs name a database file: `file:./data/messages.redb`, or
/// `file:./data/messages.redb?quota=10GiB`, which takes precedence over `--max-file-broker`. It is made if it is not there.
pub struct File;

impl BackendScheme<dyn Broker> for File {
    const NAMES: &'static [&'static str] = &["file"];

    fn flags() -> Vec<Flag> {
        vec![MAX_FLAG]
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> anyhow::Result<Arc<dyn Broker>> {
        let Size(max) = context.settings.require(&MAX_FLAG)?;
        let path = url.path().ok_or_else(|| {
            let message = "--messaging: expected the path of a database file, such as file:./messages.redb";
            Error::new(ErrorKind::BadConfiguration, message)
        })?;
        let max = url.quota()?.map_or(max, |quota| usize::try_from(quota).unwrap_or(usize::MAX));
        let broker = FileBroker::with_capacity(&path, max).await?;
        if let Some(health) = context.health {
            broker.engine.log().fault.show(health);
        }
        Ok(Arc::new(broker))
    }
}

/// A broker whose messages are in one database file.
///
/// It delivers as [`MemoryBroker`](crate::MemoryBroker) does. What is accepted, delivered and acknowledged is written by
/// a thread of its own, which commits as much as waits at once: an operation ends when the disk has it. A delivery is
/// counted before anybody sees it, so a message that ends the process is not delivered for ever.
///
/// If the disk fails or is full, no message is accepted, and what was under way waits until it could be written.
///
/// The file is closed when the last clone, consumer and receipt are dropped, after what was accepted has been committed.
#[derive(Clone)]
pub struct FileBroker {
    engine: Arc<Engine<FileLog>>,
}

impl FileBroker {
    /// Opens the database at `path`, or makes it and the directories above it. Its messages may take 1 GiB. A path that
    /// this process has open already is shared.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: another process has the file open, it is not such a database or is damaged (it is left as
    /// it is), or it or its directory cannot be made.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        Self::with_capacity(path, MAX).await
    }

    /// The same, but messages, dead letters included, may take `max` bytes: of each its [`size`](crate::Message::size)
    /// and 256 more.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub async fn with_capacity(path: &Path, max: usize) -> anyhow::Result<Self> {
        Ok(Self { engine: open::shared(path, max, Clock::default(), Box::new(System)).await? })
    }

    #[cfg(test)]
    pub(crate) async fn with_clock(path: &Path, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self { engine: open::shared(path, MAX, clock, Box::new(System)).await? })
    }
}

engine::broker!(FileBroker);

/// The end of the queue to the thread that writes. The last field is dropped last: the thread, which owns the database,
/// ends when nobody can send to it any more.
pub(crate) struct FileLog {
    requests: mpsc::Sender<Request>,
    fault: Fault,
    _thread: Thread,
}

impl Log for FileLog {
    type Room = mpsc::OwnedPermit<Request>;

    fn refusal(&self) -> Option<crate::Error> {
        let refused = || crate::Error::new(crate::ErrorKind::Unavailable, "the broker cannot write to its disk");
        self.fault.is_raised().then(refused)
    }

    // It fails only if the thread has ended, and it ends before the log only if it panics.
    async fn room(&self) -> Result<Self::Room> {
        self.requests.clone().reserve_owned().await.map_err(|_| failed())
    }

    fn room_now(&self) -> Option<Self::Room> {
        self.requests.clone().try_reserve_owned().ok()
    }

    fn record(&self, room: Self::Room, changes: Vec<Change>, read: Vec<u64>) -> Recorded {
        let (reply, answer) = oneshot::channel();
        room.send(Request::Record { changes, read, reply });
        Recorded::Later(answer)
    }

    async fn letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let (reply, answer) = oneshot::channel();
        self.room().await?.send(Request::Letters { after, limit, reply });
        answer.await.unwrap_or_else(|_| Err(failed()))
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
