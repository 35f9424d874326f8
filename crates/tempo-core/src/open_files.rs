//! The limit on the open files, directories and sockets of one store.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tempo_telemetry::Telemetry;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::{Limits, LogBudget};

/// Name of the limit in metrics and messages: its flag.
const FLAG: &str = "max-open-files";

/// Counts the open files of one store.
///
/// A file is open as long as a strong reference to it exists: a descriptor, a stream, a running call. The counter holds a
/// weak reference to each, and removes the closed ones only when it would otherwise refuse to open another. It has at most
/// twice as many entries as the limit, and opening a file usually costs one comparison.
#[derive(Debug)]
pub struct OpenFiles {
    limit: usize,
    open: Vec<Weak<dyn Any + Send + Sync>>,
    telemetry: Telemetry,
    /// Rate-limits the log of refusals. Logged once a store, because a guest may retry without end.
    log: Option<Arc<LogBudget>>,
    refused: bool,
}

/// One counted open file, for files without another reference to count, or while a file is being opened. All clones are one
/// file, which is closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct OpenFile(#[expect(dead_code, reason = "only its reference count is used")] Arc<()>);

impl OpenFiles {
    /// Creates the counter of a new store.
    pub fn new(limits: &Limits) -> Self {
        Self { limit: limits.open_files, open: Vec::new(), telemetry: Telemetry::off(), log: None, refused: false }
    }

    /// Counts refusals in `telemetry`.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Logs the first refusal, rate-limited by `budget`.
    #[must_use]
    pub fn with_log(mut self, budget: Arc<LogBudget>) -> Self {
        self.log = Some(budget);
        self
    }

    /// Returns the number of open files.
    pub fn count(&mut self) -> usize {
        self.open.retain(|file| file.strong_count() > 0);
        self.open.len()
    }

    /// Opens a file that counts as `files`, or returns `None` if that would exceed the limit.
    pub fn open(&mut self, files: usize) -> Option<OpenFile> {
        let fits = |open: usize, limit: usize| open.saturating_add(files) <= limit;
        if !fits(self.open.len(), self.limit) && !fits(self.count(), self.limit) {
            self.refuse();
            return None;
        }
        let file = Arc::new(());
        self.track(&file, files);
        Some(OpenFile(file))
    }

    /// Counts `file` as `files` until its last strong reference is dropped. [`open`](Self::open) checks the limit.
    pub fn track<F: Any + Send + Sync>(&mut self, file: &Arc<F>, files: usize) {
        let file: Arc<dyn Any + Send + Sync> = file.clone();
        self.open.extend(std::iter::repeat_n(Arc::downgrade(&file), files));
    }

    fn refuse(&mut self) {
        self.telemetry.count_limit_hit(FLAG);
        let first = !std::mem::replace(&mut self.refused, true);
        if first && self.log.as_ref().is_some_and(|budget| budget.admit()) {
            let limit = self.limit;
            tracing::warn!("an instance tried to open more than {limit} files (limit: --{FLAG})");
        }
    }
}

/// The open sockets of a store, by the `rep` of their resource. Resources of all types share one table of reps.
#[derive(Debug, Default)]
pub struct Sockets {
    open: HashMap<u32, OpenFile>,
}

impl Sockets {
    /// Counts the socket until it is dropped. If `socket` is an error, `file` is closed.
    pub fn insert<S, E>(&mut self, socket: &Result<Resource<S>, E>, file: OpenFile) {
        if let Ok(socket) = socket {
            self.open.insert(socket.rep(), file);
        }
    }

    /// Returns the open file of the socket `rep`, for its streams.
    pub fn get(&self, rep: u32) -> Option<OpenFile> {
        self.open.get(&rep).cloned()
    }

    /// Deletes the socket `rep` from `table` and stops counting it: the destructor of the resource.
    ///
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
    fn files_at_the_limit() {
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
    fn a_file_is_counted_until_its_last_reference_is_dropped() {
        let mut files = files(2);
        let opening = files.open(1).unwrap();
        let file = Arc::new("file");
        files.track(&file, 1);
        drop(opening);
        let stream = file.clone();
        drop(file);
        assert_eq!(files.count(), 1);
        drop(stream);
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn closed_files_do_not_accumulate() {
        let mut files = files(4);
        let _kept = files.open(3).unwrap();
        for _ in 0..1000 {
            let opening = files.open(1).unwrap();
            files.track(&Arc::new(0), 1);
            drop(opening);
            assert!(files.open.len() <= 8, "{}", files.open.len());
        }
    }
}
