//! `LogTail`: the last lines of a store that the rate limit dropped.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::LogBudget;

/// Maximum number of lines.
const MAX_LINES: usize = 32;
/// Maximum length of all lines, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// The last lines of a store that the rate limit dropped. They are written when the store is dropped, unless its last call
/// succeeded: so the message of a panic is logged however much the guest wrote before. Clones share the lines.
#[derive(Clone, Default)]
pub struct LogTail(Arc<Tail>);

#[derive(Default)]
struct Tail(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    lines: VecDeque<Line>,
    bytes: usize,
}

struct Line {
    bytes: usize,
    budget: Arc<LogBudget>,
    write: Box<dyn FnOnce() + Send>,
}

impl LogTail {
    /// Keeps a line of `bytes` that `budget` has dropped, and forgets the oldest lines that exceed the limits.
    pub fn keep(&self, budget: &Arc<LogBudget>, bytes: usize, write: impl FnOnce() + Send + 'static) {
        let mut lines = self.0.lines();
        lines.bytes = lines.bytes.saturating_add(bytes);
        lines.lines.push_back(Line { bytes, budget: budget.clone(), write: Box::new(write) });
        while lines.lines.len() > MAX_LINES || lines.bytes > MAX_BYTES {
            let Some(oldest) = lines.lines.pop_front() else { return };
            lines.bytes = lines.bytes.saturating_sub(oldest.bytes);
        }
    }

    /// Forgets all lines: a call has succeeded.
    pub(crate) fn clear(&self) {
        *self.0.lines() = Lines::default();
    }
}

impl Tail {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        for Line { budget, write, .. } in std::mem::take(&mut *self.lines()).lines {
            budget.recover();
            write();
        }
    }
}

impl fmt::Debug for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTail").field("lines", &self.0.lines().lines.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use std::sync::mpsc::{Receiver, channel};

    /// Returns a tail that was given lines of `bytes`, and what it writes.
    fn tail(count: usize, bytes: usize) -> (LogTail, Receiver<usize>) {
        let (sender, written) = channel();
        let budget = Arc::new(LogBudget::new(&Limits::default(), |_| {}));
        let tail = LogTail::default();
        for line in 0..count {
            let sender = sender.clone();
            tail.keep(&budget, bytes, move || sender.send(line).unwrap());
        }
        (tail, written)
    }

    #[test]
    fn the_last_lines_are_written_at_the_end() {
        let (tail, written) = tail(MAX_LINES + 2, 10);
        drop(tail.clone());
        assert!(written.try_recv().is_err());
        drop(tail);
        assert!(written.try_iter().eq(2..MAX_LINES + 2));
    }

    #[test]
    fn the_length_of_all_lines_is_bounded() {
        for (bytes, first) in [(MAX_BYTES / 2, 8), (MAX_BYTES / 2 + 1, 9), (MAX_BYTES + 1, 10)] {
            let (tail, written) = tail(10, bytes);
            drop(tail);
            assert!(written.try_iter().eq(first..10), "{bytes}");
        }
    }

    #[test]
    fn nothing_is_written_after_a_success() {
        let (tail, written) = tail(3, 10);
        tail.clear();
        drop(tail);
        assert!(written.try_recv().is_err());
    }
}
