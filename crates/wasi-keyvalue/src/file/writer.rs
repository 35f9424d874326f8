//! The thread that writes to one database: it takes all that waits, commits it at once, and answers.

use bytes::Bytes;
use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::tables::{self, Tables};
use super::{Public, report};
use crate::memory::precondition_failed;
use crate::{Change, Condition, Result, Version};

/// Requests that wait for the thread, and so the most that one commit takes.
pub(super) const QUEUE: usize = 256;
/// What the values of one commit may take, in bytes.
const GROUP: usize = 16 << 20;

/// One write, and whom to tell of its end.
pub(super) struct Request {
    pub(super) operation: Operation,
    /// Those that write no entry answer with 0.
    pub(super) reply: oneshot::Sender<Result<Version>>,
}

pub(super) enum Operation {
    Set {
        key: String,
        value: Bytes,
        expires: Option<u64>,
        condition: Condition,
    },
    Delete {
        key: String,
    },
    /// Nothing but what every group does first: tidy up what has expired.
    Sweep,
}

impl Operation {
    fn size(&self) -> usize {
        if let Self::Set { value, .. } = self { value.len() } else { 0 }
    }
}

/// Serves requests until nobody can send any more.
pub(super) fn run(database: &Database, mut requests: mpsc::Receiver<Request>, public: &Public) {
    while let Some(first) = requests.blocking_recv() {
        let mut size = first.operation.size();
        let mut group = vec![first];
        while size < GROUP && group.len() < QUEUE {
            let Ok(next) = requests.try_recv() else { break };
            size = size.saturating_add(next.operation.size());
            group.push(next);
        }
        let (operations, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|request| (request.operation, request.reply)).unzip();
        match commit(database, operations, public) {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A caller that has gone away wants no answer.
                    let _ = reply.send(outcome);
                }
            }
            Err(error) => {
                let error = report(&error);
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Does all `operations` in one transaction, and makes it known. What became of each is so once it returns, on the disk
/// too.
fn commit(
    database: &Database,
    operations: Vec<Operation>,
    public: &Public,
) -> std::result::Result<Vec<Result<Version>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    let mut changes: Vec<Change> = tables.sweep()?.into_iter().map(|key| Change::Delete { key }).collect();
    let mut outcomes = Vec::new();
    for operation in operations {
        outcomes.push(match operation {
            Operation::Set { key, value, expires, condition } => match tables.set(&key, &value, expires, condition)? {
                Some(version) => {
                    changes.push(Change::Set { key, value });
                    Ok(version)
                }
                None => Err(precondition_failed()),
            },
            Operation::Delete { key } => {
                if tables.delete(&key)? {
                    changes.push(Change::Delete { key });
                }
                Ok(0)
            }
            Operation::Sweep => Ok(0),
        });
    }
    if tables.changed {
        tables.finish()?;
        transaction.commit()?;
        public.publish(tables::snapshot(database)?, &changes);
    } else {
        drop(tables);
        transaction.abort()?;
    }
    Ok(outcomes)
}
