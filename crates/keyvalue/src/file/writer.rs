//! The writer thread of a database: commits all waiting requests in one transaction, then answers them. After a disk
//! failure redb accepts no writes: the thread reopens the database and probes the disk periodically.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redb::Database;
use tempo_backend::database::{self, DatabaseFile};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::tables::{self, Tables};
use super::{Published, explain, failed};
use crate::{Change, Condition, Error, Increment, Result, Version};

/// Maximum bytes of a counter: the digits of the smallest `i64`.
const MAX_COUNTER_BYTES: usize = 20;
/// How often an idle thread checks whether a probe is due.
const PROBE_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A write and the channel for its result.
pub(super) struct Request {
    pub(super) operation: Operation,
    pub(super) reply: oneshot::Sender<Result<Outcome>>,
}

/// The result of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// The version of the entry that was written, or 0.
    pub(super) version: Version,
    /// The sum of an increment, or 0.
    pub(super) sum: i128,
}

pub(super) enum Operation {
    Set {
        key: String,
        value: Bytes,
        expires: Option<u64>,
        condition: Condition,
    },
    /// Writes over a version, and keeps the lifetime.
    Replace {
        key: String,
        value: Bytes,
        version: Version,
    },
    Increment {
        key: String,
        increment: Increment,
    },
    Delete {
        key: String,
    },
    /// Only removes expired entries, as every commit does.
    Sweep,
}

impl Operation {
    fn size(&self) -> usize {
        match self {
            Self::Set { value, .. } | Self::Replace { value, .. } => value.len(),
            Self::Increment { .. } => MAX_COUNTER_BYTES,
            Self::Delete { .. } | Self::Sweep => 0,
        }
    }
}

/// The writer of one database file.
pub(super) struct Writer {
    file: DatabaseFile,
    /// `None` after a failure, until it could be opened again.
    database: Option<Database>,
    published: Arc<Published>,
    quota: Option<u64>,
    /// The last error of the disk, and when to retry.
    error: Error,
    again: Instant,
    /// The size of what failed, in bytes.
    wanted: usize,
}

impl Writer {
    pub(super) fn new(file: DatabaseFile, database: Database, published: Arc<Published>, quota: Option<u64>) -> Self {
        let database = Some(database);
        Self { file, database, published, quota, error: failed(), again: Instant::now(), wanted: 0 }
    }

    /// Serves requests until all senders are dropped.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = self.next(&mut requests) {
            let (group, size) = database::group(first, &mut requests, |request| request.operation.size());
            let (operations, replies): (Vec<_>, Vec<_>) =
                group.into_iter().map(|request| (request.operation, request.reply)).unzip();
            match self.serve(operations, size) {
                Ok(outcomes) => {
                    for (reply, outcome) in replies.into_iter().zip(outcomes) {
                        // A cancelled caller is ignored.
                        let _ = reply.send(outcome);
                    }
                }
                Err(error) => {
                    for reply in replies {
                        let _ = reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Waits for the next request, and probes a failed disk meanwhile.
    fn next(&mut self, requests: &mut mpsc::Receiver<Request>) -> Option<Request> {
        while self.published.fault.is_raised() {
            match requests.try_recv() {
                Ok(request) => return Some(request),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if Instant::now() >= self.again => self.probe(),
                Err(TryRecvError::Empty) => std::thread::sleep(PROBE_POLL_INTERVAL),
            }
        }
        requests.blocking_recv()
    }

    /// Commits `operations`, whose values have `size` bytes. Within the pause after a failure, returns the last error.
    fn serve(&mut self, operations: Vec<Operation>, size: usize) -> Result<Vec<Result<Outcome>>> {
        let raised = self.published.fault.is_raised();
        if raised && Instant::now() < self.again {
            return Err(self.error.clone());
        }
        if self.published.take_doubt() {
            self.fail(&redb::Error::PreviousIo);
        }
        if self.database.is_none() {
            self.reopen();
        }
        let Some(database) = &self.database else { return Err(self.error.clone()) };
        match commit(database, operations, self.quota, &self.published) {
            Ok(outcomes) => {
                // That something could be deleted says little of whether there is room.
                if raised && size > 0 {
                    self.published.fault.clear();
                }
                Ok(outcomes)
            }
            Err(error) => {
                self.wanted = size;
                self.fail(&error);
                Err(self.error.clone())
            }
        }
    }

    /// Probes whether the failed write would succeed now.
    fn probe(&mut self) {
        let begun = Instant::now();
        if self.database.is_none() {
            self.reopen();
        }
        if let Err(error) = self.file.probe(self.wanted) {
            self.note(&redb::Error::Io(error));
            return self.wait(begun);
        }
        let Some(database) = &self.database else { return };
        match tables::touch(database) {
            Ok(()) => self.published.fault.clear(),
            Err(error) => self.fail(&error),
        }
    }

    /// The disk has failed: the database takes no more writes, and perhaps gives nothing to read.
    fn fail(&mut self, error: &redb::Error) {
        self.note(error);
        self.published.withdraw();
        self.database = None;
        self.reopen();
    }

    /// Opens the database again, for those who read at least.
    fn reopen(&mut self) {
        let begun = Instant::now();
        // redb panics over some kinds of damage.
        let open = || -> std::result::Result<_, redb::Error> {
            let database = self.file.open()?;
            let entries = tables::snapshot(&database)?;
            Ok((database, entries))
        };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)) {
            Ok(Ok((database, entries))) => {
                self.published.publish(entries, &[]);
                self.database = Some(database);
            }
            Ok(Err(error)) => self.note(&error),
            Err(_) => self.error = failed(),
        }
        self.wait(begun);
    }

    fn note(&mut self, error: &redb::Error) {
        // This one only says that there was another before.
        if !matches!(error, redb::Error::PreviousIo) || !self.published.fault.is_raised() {
            self.published.fault.raise(error);
            self.error = explain(error);
        }
    }

    /// Schedules the next attempt after one that began at `begun`.
    fn wait(&mut self, begun: Instant) {
        let now = Instant::now();
        self.again = now.checked_add(database::retry_pause(begun)).unwrap_or(now);
    }
}

/// Does all `operations` in one transaction, and makes it known. What became of each is so once it returns, on the disk
/// too.
fn commit(
    database: &Database,
    operations: Vec<Operation>,
    quota: Option<u64>,
    published: &Published,
) -> std::result::Result<Vec<Result<Outcome>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction, quota)?;
    let mut changes: Vec<Change> = tables.sweep()?.into_iter().map(|key| Change::Delete { key }).collect();
    let mut outcomes = Vec::new();
    for operation in operations {
        outcomes.push(apply(&mut tables, operation, &mut changes)?);
    }
    if tables.changed {
        tables.finish()?;
        transaction.commit()?;
        published.publish(tables::snapshot(database)?, &changes);
    } else {
        drop(tables);
        transaction.abort()?;
    }
    Ok(outcomes)
}

/// Does one operation, and adds its change.
fn apply(
    tables: &mut Tables<'_>,
    operation: Operation,
    changes: &mut Vec<Change>,
) -> std::result::Result<Result<Outcome>, redb::Error> {
    let (key, value, written) = match operation {
        Operation::Set { key, value, expires, condition } => {
            let written = tables.set(&key, &value, expires, condition)?;
            (key, value, written)
        }
        Operation::Replace { key, value, version } => {
            let written = tables.replace(&key, &value, version)?;
            (key, value, written)
        }
        Operation::Increment { key, increment } => {
            return Ok(tables.increment(&key, increment)?.map(|(version, sum)| {
                changes.push(Change::Set { key, value: sum.to_string().into() });
                Outcome { version, sum }
            }));
        }
        Operation::Delete { key } => {
            if tables.delete(&key)? {
                changes.push(Change::Delete { key });
            }
            return Ok(Ok(Outcome::default()));
        }
        Operation::Sweep => return Ok(Ok(Outcome::default())),
    };
    Ok(written.map_err(Into::into).map(|version| {
        changes.push(Change::Set { key, value });
        Outcome { version, sum: 0 }
    }))
}
