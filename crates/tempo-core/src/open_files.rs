//! The limit on the open files, directories and sockets of one store.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tempo_telemetry::Telemetry;

use crate::{Limits, LogBudget};

/// Name of the limit in metrics and messages: its flag.
const FLAG: &str = "max-open-files";

/// Counts the open files of one store. Clones share the count.
///
/// A file is open as long as a strong reference to it exists: a descriptor, a stream, a running call. The counter holds a
/// weak reference to each, and removes the closed ones only when it would otherwise refuse to open another. It has at most
/// twice as many entries as the limit, and opening a file usually costs one comparison.
#[derive(Clone, Debug)]
pub struct OpenFiles(Arc<Mutex<Counter>>);

#[derive(Debug)]
struct Counter {
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
        let (telemetry, limit) = (Telemetry::off(), limits.open_files);
        Self(Arc::new(Mutex::new(Counter { limit, open: Vec::new(), telemetry, log: None, refused: false })))
    }

    /// Counts refusals in `telemetry`.
    #[must_use]
    pub fn with_telemetry(self, telemetry: Telemetry) -> Self {
        self.counter().telemetry = telemetry;
        self
    }

    /// Logs the first refusal, rate-limited by `budget`.
    #[must_use]
    pub fn with_log(self, budget: Arc<LogBudget>) -> Self {
        self.counter().log = Some(budget);
        self
    }

    /// Returns the number of open files.
    pub fn count(&self) -> usize {
        self.counter().count()
    }

    /// Opens a file that counts as `files`, or returns `None` if that would exceed the limit.
    pub fn open(&self, files: usize) -> Option<OpenFile> {
        let mut counter = self.counter();
        let fits = |open: usize, limit: usize| open.saturating_add(files) <= limit;
        if !fits(counter.open.len(), counter.limit) && !fits(counter.count(), counter.limit) {
            counter.refuse();
            return None;
        }
        let file = Arc::new(());
        counter.track(file.clone(), files);
        Some(OpenFile(file))
    }

    /// Counts `file` as `files` until its last strong reference is dropped. [`open`](Self::open) checks the limit.
    pub fn track<F: Any + Send + Sync>(&self, file: &Arc<F>, files: usize) {
        self.counter().track(file.clone(), files);
    }

    fn counter(&self) -> MutexGuard<'_, Counter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counter {
    fn count(&mut self) -> usize {
        self.open.retain(|file| file.strong_count() > 0);
        self.open.len()
    }

    #[expect(clippy::needless_pass_by_value, reason = "the caller's reference has another type")]
    fn track(&mut self, file: Arc<dyn Any + Send + Sync>, files: usize) {
        self.open.extend(std::iter::repeat_n(Arc::downgrade(&file), files));
    }

    fn refuse(&mut self) {
        self.telemetry.count_limit_hit(FLAG);
        let first = !std::mem::replace(&mut self.refused, true);
        if first && self.log.as_ref().is_some_and(|budget| budget.admit()) {
            let limit = self.limit;
            let component = self.log.as_ref().and_then(|budget| budget.component());
            tracing::warn!(component, "an instance tried to open more than {limit} files (limit: --{FLAG})");
        }
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
        let files = files(3);
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
        let files = files(2);
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
        let files = files(4);
        let _kept = files.open(3).unwrap();
        for _ in 0..1000 {
            let opening = files.open(1).unwrap();
            files.track(&Arc::new(0), 1);
            drop(opening);
            let entries = files.counter().open.len();
            assert!(entries <= 8, "{entries}");
        }
    }
}
