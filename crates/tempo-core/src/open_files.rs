//! The limit on the files, directories and sockets that one store has open.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use tempo_telemetry::Telemetry;

use crate::{Limits, LogBudget};

/// The flag of the limit, as it is counted among the limits that were hit.
const FLAG: &str = "max-open-files";

/// Counts what one store has open.
///
/// A file is open for as long as something refers to it: a descriptor, a stream, a call under way. So the account keeps a
/// weak reference to each, and finds out which have been closed when it would refuse another. It has no more entries than
/// twice the limit, and most openings cost a comparison.
#[derive(Debug)]
pub struct OpenFiles {
    limit: usize,
    open: Vec<Weak<dyn Any + Send + Sync>>,
    telemetry: Telemetry,
    /// Where refusals are logged, and whether this store has logged one: a guest may ask without end.
    log: Option<Arc<LogBudget>>,
    refused: bool,
}

/// An open file that has no other reference to count, or one that is being opened. It and its clones are one file, which is
/// closed when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct OpenFile(#[expect(dead_code, reason = "it is counted by its references")] Arc<()>);

impl OpenFiles {
    /// The account of a new store.
    pub fn new(limits: &Limits) -> Self {
        Self { limit: limits.open_files, open: Vec::new(), telemetry: Telemetry::off(), log: None, refused: false }
    }

    /// The same account, which reports to `telemetry` what it refuses.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// The same account, which logs what it refuses, within `budget`.
    #[must_use]
    pub fn logged_within(mut self, budget: Arc<LogBudget>) -> Self {
        self.log = Some(budget);
        self
    }

    /// How many files are open.
    pub fn count(&mut self) -> usize {
        self.open.retain(|file| file.strong_count() > 0);
        self.open.len()
    }

    /// Opens a file that counts as `files`, if there is room for them: `None` if there is not.
    pub fn open(&mut self, files: usize) -> Option<OpenFile> {
        let room = |open: usize, limit: usize| open.saturating_add(files) <= limit;
        if !room(self.open.len(), self.limit) && !room(self.count(), self.limit) {
            self.refuse();
            return None;
        }
        let file = Arc::new(());
        self.follow(&file, files);
        Some(OpenFile(file))
    }

    /// Counts `file`, for which [`open`](Self::open) has made room, as `files` for as long as it is referred to.
    pub fn follow<F: Any + Send + Sync>(&mut self, file: &Arc<F>, files: usize) {
        let file: Arc<dyn Any + Send + Sync> = file.clone();
        self.open.extend(std::iter::repeat_n(Arc::downgrade(&file), files));
    }

    fn refuse(&mut self) {
        self.telemetry.count_limit_hit(FLAG);
        let first = !std::mem::replace(&mut self.refused, true);
        if first && self.log.as_ref().is_some_and(|budget| budget.admit().is_some()) {
            let limit = self.limit;
            tracing::warn!("an instance has {limit} files open and may have no more (limit: --{FLAG})");
        }
    }
}

/// The sockets of a store, by the number of their resource. Resources of all types have their numbers from one table.
#[derive(Debug, Default)]
pub struct Sockets {
    open: HashMap<u32, OpenFile>,
}

impl Sockets {
    /// Counts the socket until it is dropped. A socket that could not be made gives its place back.
    pub fn keep<S, E>(&mut self, made: &Result<Resource<S>, E>, place: OpenFile) {
        if let Ok(socket) = made {
            self.open.insert(socket.rep(), place);
        }
    }

    /// The socket of that number, for its streams.
    pub fn get(&self, rep: u32) -> Option<OpenFile> {
        self.open.get(&rep).cloned()
    }

    /// What the destructor of a socket's resource does.
    /// # Errors
    ///
    /// The resource is not in `table`, or has children.
    pub fn drop<S: 'static>(&mut self, table: &mut ResourceTable, rep: u32) -> Result<(), ResourceTableError> {
        table.delete(Resource::<S>::new_own(rep))?;
        self.open.remove(&rep);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(limit: usize) -> OpenFiles {
        OpenFiles::new(&Limits { open_files: limit, ..Limits::default() })
    }

    #[test]
    fn files_at_the_edge() {
        let mut files = files(3);
        let held: Vec<_> = (0..3).map(|_| files.open(1).unwrap()).collect();
        assert!(files.open(1).is_none(), "one above the limit");
        let clone = held[0].clone();
        drop(held);
        assert_eq!(files.count(), 1, "a clone is the same file");
        assert!(files.open(3).is_none());
        drop(clone);
        assert!(files.open(3).is_some(), "exactly the limit");
        assert!(files.open(4).is_none());
    }

    #[test]
    fn a_file_is_counted_until_nothing_refers_to_it() {
        let mut files = files(2);
        let place = files.open(1).unwrap();
        let file = Arc::new("file");
        files.follow(&file, 1);
        drop(place);
        let stream = file.clone();
        drop(file);
        assert_eq!(files.count(), 1);
        drop(stream);
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn the_account_of_files_that_come_and_go_does_not_grow() {
        let mut files = files(4);
        let _kept = files.open(3).unwrap();
        for _ in 0..1000 {
            let place = files.open(1).unwrap();
            files.follow(&Arc::new(0), 1);
            drop(place);
            assert!(files.open.len() <= 8, "{}", files.open.len());
        }
    }
}
