//! The writer thread of a database: commits all waiting requests in one transaction, then answers them. While the disk
//! fails it retries, so that the engine's state and the file never diverge.

use std::time::{Duration, Instant};

use redb::{Database, Error};
use tempo_backend::database::{self, DatabaseFile};
use tokio::sync::{mpsc, oneshot};

use super::tables::Tables;
use crate::engine::{Change, Read};
use crate::{DeadLetter, Result};

/// How often a pausing thread checks whether the broker was dropped.
const SHUTDOWN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A request to the writer thread. A dropped `reply` means that the log has failed.
pub(crate) enum Request {
    /// Write all changes, then read these messages.
    Record { changes: Vec<Change>, read: Vec<u64>, reply: oneshot::Sender<Result<Read>> },
    /// Read the first `limit` dead letters after the sequence `after`.
    Letters { after: Option<u64>, limit: usize, reply: oneshot::Sender<Result<Vec<DeadLetter>>> },
}

/// An answer, sent after the commit.
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

    /// Sends the answer; a cancelled caller is ignored.
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
    file: DatabaseFile,
    /// `None` after a failure, until it is reopened.
    database: Option<Database>,
}

impl Writer {
    pub(super) fn new(file: DatabaseFile, database: Database) -> Self {
        Self { file, database: Some(database) }
    }

    /// Serves requests until all senders are dropped, or until a permanent failure, after which the engine's state has
    /// diverged from the file.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let (group, size) = database::group(first, &mut requests, Request::size);
            let Some(answers) = self.serve(&group, size, &requests) else { return };
            group.into_iter().zip(answers).for_each(|(request, answer)| request.answer(answer));
        }
    }

    /// Commits `group`, whose messages have `size` bytes, retrying until the disk accepts it. `None`: permanent
    /// failure, or the broker was dropped.
    fn serve(&mut self, group: &[Request], size: usize, requests: &mpsc::Receiver<Request>) -> Option<Vec<Answer>> {
        loop {
            let begun = Instant::now();
            match self.attempt(group, size) {
                Ok(answers) => {
                    self.file.fault().clear();
                    return Some(answers);
                }
                Err(error) if database::is_disk_failure(&error) => self.file.fault().raise(&error),
                Err(error) => {
                    tracing::error!(%error, "a messaging database failed");
                    self.file.fault().raise(&error);
                    return None;
                }
            }
            let (now, pause) = (Instant::now(), database::retry_pause(begun));
            while now.elapsed() < pause {
                if requests.is_closed() {
                    tracing::error!("the last changes are lost: the disk failed until the broker was closed");
                    return None;
                }
                std::thread::sleep(SHUTDOWN_POLL_INTERVAL);
            }
        }
    }

    fn attempt(&mut self, group: &[Request], size: usize) -> std::result::Result<Vec<Answer>, Error> {
        let again = self.file.fault().is_raised();
        if again {
            self.file.probe(size)?;
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => self.file.open()?,
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
