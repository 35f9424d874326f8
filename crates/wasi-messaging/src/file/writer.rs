//! The thread that writes to one database: it takes all that waits, commits it at once, and answers.

use redb::{Database, Error};
use tokio::sync::{mpsc, oneshot};

use super::tables::Tables;
use crate::engine::{Change, Read};
use crate::{DeadLetter, Result};

/// Requests that wait for the thread, and so the most that one commit takes.
pub(super) const QUEUE: usize = 256;
/// What the messages of one commit may take, in bytes, before it takes no more.
const GROUP: usize = 16 << 20;

/// What is asked of the thread, and whom to answer. Whoever gets no answer knows that nothing can be kept any more.
pub(crate) enum Request {
    /// Write down all changes, then read these messages.
    Record { changes: Vec<Change>, read: Vec<u64>, reply: oneshot::Sender<Result<Read>> },
    /// Read the first `limit` dead letters after the place `after`.
    Letters { after: Option<u64>, limit: usize, reply: oneshot::Sender<Result<Vec<DeadLetter>>> },
}

/// What is answered once the commit is done.
enum Answer {
    Record(oneshot::Sender<Result<Read>>, Read),
    Letters(oneshot::Sender<Result<Vec<DeadLetter>>>, Vec<DeadLetter>),
}

impl Request {
    fn size(&self) -> usize {
        let Self::Record { changes, .. } = self else { return 0 };
        let size = |change: &Change| if let Change::Publish { message, .. } = change { message.size() } else { 0 };
        changes.iter().map(size).fold(0, usize::saturating_add)
    }

    fn serve(self, tables: &mut Tables<'_>) -> std::result::Result<Answer, Error> {
        match self {
            Self::Record { changes, read, reply } => {
                changes.into_iter().try_for_each(|change| tables.apply(change))?;
                let read = read.into_iter().map(|sequence| tables.read(sequence));
                Ok(Answer::Record(reply, read.collect::<std::result::Result<_, _>>()?))
            }
            Self::Letters { after, limit, reply } => Ok(Answer::Letters(reply, tables.letters(after, limit)?)),
        }
    }
}

impl Answer {
    /// A caller that has gone away wants no answer.
    fn give(self) {
        match self {
            Self::Record(reply, read) => drop(reply.send(Ok(read))),
            Self::Letters(reply, letters) => drop(reply.send(Ok(letters))),
        }
    }
}

/// Serves requests until nobody can send any more, or until the first failure: what the engine has changed by then does
/// not fit to what is on the disk.
pub(super) fn run(database: &Database, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.blocking_recv() {
        let mut size = first.size();
        let mut group = vec![first];
        while size < GROUP && group.len() < QUEUE {
            let Ok(next) = requests.try_recv() else { break };
            size = size.saturating_add(next.size());
            group.push(next);
        }
        match commit(database, group) {
            Ok(answers) => answers.into_iter().for_each(Answer::give),
            Err(error) => {
                tracing::error!(%error, "a messaging database failed");
                return;
            }
        }
    }
}

/// Serves all of `group` in one transaction. What they are told is so once it returns, on the disk too.
fn commit(database: &Database, group: Vec<Request>) -> std::result::Result<Vec<Answer>, Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    let answers = group.into_iter().map(|request| request.serve(&mut tables));
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
