//! How much a guest may write to the host's log.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::Limits;

/// A token bucket over log lines, shared by all instances of a component, that also clips long lines.
#[derive(Debug)]
pub struct LogBudget {
    rate: f64,
    burst: f64,
    max_line: usize,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    dropped: u64,
}

/// A line may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// How many lines were dropped since the last one that was admitted.
    pub dropped: u64,
}

impl LogBudget {
    /// A full budget, as `limits` say.
    pub fn new(limits: &Limits) -> Self {
        let burst = limits.log_burst as f64;
        Self {
            rate: limits.log_rate as f64,
            burst,
            max_line: limits.log_line,
            bucket: Mutex::new(Bucket { tokens: burst, filled: Instant::now(), dropped: 0 }),
        }
    }

    /// Takes one line from the budget, or counts it as dropped.
    pub fn admit(&self) -> Option<Admitted> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<Admitted> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * self.rate).min(self.burst);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            bucket.dropped = bucket.dropped.saturating_add(1);
            return None;
        }
        bucket.tokens -= 1.0;
        Some(Admitted { dropped: std::mem::take(&mut bucket.dropped) })
    }

    /// The longest line, in bytes.
    pub fn max_line(&self) -> usize {
        self.max_line
    }

    /// The start of `line` that may be written: at most [`max_line`](LogBudget::max_line) bytes, whole characters.
    pub fn clip<'a>(&self, line: &'a str) -> &'a str {
        let end = line.floor_char_boundary(self.max_line);
        line.get(..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn budget() -> LogBudget {
        LogBudget::new(&Limits { log_burst: 2, log_rate: 10, log_line: 4, ..Limits::default() })
    }

    #[test]
    fn a_burst_then_the_rate_and_the_dropped_are_counted() {
        let budget = budget();
        let start = Instant::now();
        assert_eq!(budget.admit_at(start), Some(Admitted { dropped: 0 }));
        assert_eq!(budget.admit_at(start), Some(Admitted { dropped: 0 }));
        assert_eq!(budget.admit_at(start), None);
        assert_eq!(budget.admit_at(start), None);
        let later = start + Duration::from_millis(101);
        assert_eq!(budget.admit_at(later), Some(Admitted { dropped: 2 }));
        assert_eq!(budget.admit_at(later), None);
    }

    #[test]
    fn lines_are_clipped_at_whole_characters() {
        let budget = budget();
        assert_eq!(budget.clip("abc"), "abc");
        assert_eq!(budget.clip("abcd"), "abcd");
        assert_eq!(budget.clip("abcde"), "abcd");
        assert_eq!(budget.clip("abcé"), "abc");
    }
}
