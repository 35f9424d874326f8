//! `LogTail`: the last lines of a store that the rate limit dropped.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::LogBudget;

/// Maximum number of lines.
const MAX_LINES: usize = 32;
/// Maximum length of all lines, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// The last lines of a store that the rate limit dropped. They are written if its call traps: so the message of a panic is
/// logged however much the guest wrote before. Clones share the lines.
#[derive(Clone, Default)]
pub struct LogTail(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The number of lines that are still written after the trap: lines that it left unfinished.
    unfinished: usize,
}

struct Line {
    bytes: usize,
    budget: Arc<LogBudget>,
    write: Box<dyn FnOnce() + Send>,
}

impl LogTail {
    /// Keeps a line of `bytes` that `budget` has dropped, and forgets the oldest lines that exceed the limits.
    pub fn keep(&self, budget: &Arc<LogBudget>, bytes: usize, write: impl FnOnce() + Send + 'static) {
        let mut lines = self.lines();
        if let Some(left) = lines.unfinished.checked_sub(1) {
            lines.unfinished = left;
            drop(lines);
            budget.recover();
            return write();
        }
        lines.bytes = lines.bytes.saturating_add(bytes);
        lines.lines.push_back(Line { bytes, budget: budget.clone(), write: Box::new(write) });
        while lines.lines.len() > MAX_LINES || lines.bytes > MAX_BYTES {
            let Some(oldest) = lines.lines.pop_front() else { return };
            lines.bytes = lines.bytes.saturating_sub(oldest.bytes);
        }
    }

    /// Forgets all lines: a call has succeeded.
    pub fn clear(&self) {
        *self.lines() = Lines::default();
    }

    /// Writes the lines: the call has trapped. Lines that the guest left unfinished are written when its streams are dropped.
    pub fn write(&self) {
        let written = std::mem::replace(&mut *self.lines(), Lines { unfinished: MAX_LINES, ..Lines::default() });
        for Line { budget, write, .. } in written.lines {
            budget.recover();
            write();
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTail").field("lines", &self.lines().lines.len()).finish_non_exhaustive()
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
    fn the_last_lines_are_written_after_a_trap() {
        let (tail, written) = tail(MAX_LINES + 2, 10);
        assert!(written.try_recv().is_err());
        tail.write();
        assert!(written.try_iter().eq(2..MAX_LINES + 2));
        // What the trap left unfinished is bounded, too.
        let (sender, unfinished) = channel();
        let budget = Arc::new(LogBudget::new(&Limits::default(), |_| {}));
        for line in 0..MAX_LINES + 2 {
            let sender = sender.clone();
            tail.keep(&budget, 10, move || sender.send(line).unwrap());
        }
        assert!(unfinished.try_iter().eq(0..MAX_LINES));
    }

    #[test]
    fn the_length_of_all_lines_is_bounded() {
        for (bytes, first) in [(MAX_BYTES / 2, 8), (MAX_BYTES / 2 + 1, 9), (MAX_BYTES + 1, 10)] {
            let (tail, written) = tail(10, bytes);
            tail.write();
            assert!(written.try_iter().eq(first..10), "{bytes}");
        }
    }

    #[test]
    fn nothing_is_written_after_a_success() {
        let (tail, written) = tail(3, 10);
        tail.clear();
        tail.write();
        assert!(written.try_recv().is_err());
    }
}
