//! The thread that writes to one database: it takes all that waits, commits it at once, and answers. While the disk fails
//! it tries again, so that what the engine has changed always fits to what is on the disk.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use redb::{Database, Error};
use tempo_backend::Fault;
use tokio::sync::{mpsc, oneshot};

use super::disk::Disk;
use super::tables::Tables;
use crate::engine::{Change, Read};
use crate::{DeadLetter, Result};

/// Requests that wait for the thread, and so the most that one commit takes.
pub(super) const QUEUE: usize = 256;
/// What the messages of one commit may take, in bytes, before it takes no more.
const GROUP: usize = 16 << 20;
/// The shortest time between two attempts to write to a disk that has failed.
const PAUSE: Duration = Duration::from_millis(100);
/// An attempt waits this many times as long as the one before took: a repair reads the whole file.
const PAUSES: u32 = 4;
/// How often the thread looks whether the broker has ended while it waits for the next attempt.
const TICK: Duration = Duration::from_millis(20);

/// What is asked of the thread, and whom to answer. Whoever gets no answer knows that nothing can be kept any more.
pub(crate) enum Request {
    /// Write down all changes, then read these messages.
    Record { changes: Vec<Change>, read: Vec<u64>, reply: oneshot::Sender<Result<Read>> },
    /// Read the first `limit` dead letters after the place `after`.
    Letters { after: Option<u64>, limit: usize, reply: oneshot::Sender<Result<Vec<DeadLetter>>> },
}

/// What is answered once the commit is done.
enum Answer {
    Record(Read),
    Letters(Vec<DeadLetter>),
}

impl Request {
    fn size(&self) -> usize {
        let Self::Record { changes, .. } = self else { return 0 };
        let size = |change: &Change| if let Change::Publish { message, .. } = change { message.size() } else { 0 };
        changes.iter().map(size).fold(0, usize::saturating_add)
    }

    fn serve(&self, tables: &mut Tables<'_>) -> std::result::Result<Answer, Error> {
        match self {
            Self::Record { changes, read, .. } => {
                changes.iter().try_for_each(|change| tables.apply(change))?;
                let read = read.iter().map(|sequence| tables.read(*sequence));
                Ok(Answer::Record(read.collect::<std::result::Result<_, _>>()?))
            }
            Self::Letters { after, limit, .. } => Ok(Answer::Letters(tables.letters(*after, *limit)?)),
        }
    }

    /// A caller that has gone away wants no answer.
    fn answer(self, answer: Answer) {
        match (self, answer) {
            (Self::Record { reply, .. }, Answer::Record(read)) => drop(reply.send(Ok(read))),
            (Self::Letters { reply, .. }, Answer::Letters(letters)) => drop(reply.send(Ok(letters))),
            _ => {}
        }
    }
}

/// The writer of one database file.
pub(super) struct Writer {
    disk: Box<dyn Disk>,
    path: PathBuf,
    /// `None` after a failure, until it could be opened again.
    database: Option<Database>,
    fault: Fault,
}

impl Writer {
    pub(super) fn new(disk: Box<dyn Disk>, path: PathBuf, database: Database, fault: Fault) -> Self {
        Self { disk, path, database: Some(database), fault }
    }

    /// Serves requests until all senders are dropped, or until a failure that does not pass: then what the engine has
    /// changed does not fit to what is on the disk.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut size = first.size();
            let mut group = vec![first];
            while size < GROUP && group.len() < QUEUE {
                let Ok(next) = requests.try_recv() else { break };
                size = size.saturating_add(next.size());
                group.push(next);
            }
            let Some(answers) = self.serve(&group, size, &requests) else { return };
            group.into_iter().zip(answers).for_each(|(request, answer)| request.answer(answer));
        }
    }

    /// Commits `group`, whose messages have `size` bytes, as soon as the disk takes it. `None`: it never will, or the
    /// broker has ended.
    fn serve(&mut self, group: &[Request], size: usize, requests: &mpsc::Receiver<Request>) -> Option<Vec<Answer>> {
        loop {
            let begun = Instant::now();
            match self.attempt(group, size) {
                Ok(answers) => {
                    self.fault.clear();
                    return Some(answers);
                }
                Err(error @ (Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed)) => self.fault.raise(&error),
                Err(error) => {
                    tracing::error!(%error, "a messaging database failed");
                    self.fault.raise(&error);
                    return None;
                }
            }
            let now = Instant::now();
            let pause = now.saturating_duration_since(begun).saturating_mul(PAUSES).max(PAUSE);
            while now.elapsed() < pause {
                if requests.is_closed() {
                    tracing::error!("what was to be written last is lost, as the disk has failed");
                    return None;
                }
                std::thread::sleep(TICK);
            }
        }
    }

    fn attempt(&mut self, group: &[Request], size: usize) -> std::result::Result<Vec<Answer>, Error> {
        let again = self.fault.is_raised();
        if again {
            self.disk.probe(&self.path, size)?;
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => self.disk.open(&self.path)?,
        };
        let answers = commit(&database, group, again)?;
        // After a failure redb takes no more writes: the database is closed.
        self.database = Some(database);
        Ok(answers)
    }
}

/// Serves all of `group` in one transaction. Once it returns, what they wait for is on the disk. What is committed
/// `again` may be on the disk already, as a commit that fails may have been done.
fn commit(database: &Database, group: &[Request], again: bool) -> std::result::Result<Vec<Answer>, Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction, again)?;
    let answers = group.iter().map(|request| request.serve(&mut tables));
    let answers = answers.collect::<std::result::Result<_, _>>()?;
    if tables.changed {
        tables.finish()?;
        transaction.commit()?;
    } else {
        drop(tables);
        transaction.abort()?;
    }
    Ok(answers)
}
