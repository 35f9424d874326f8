//! The rate limit on guest lines in the host's log.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::Limits;

/// A token bucket over log lines, shared by all instances of a component. Also clips long lines.
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
    refilled: Instant,
    dropped: u64,
}

/// Permission to write one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// Number of lines dropped since the last admitted one.
    pub dropped: u64,
}

impl LogBudget {
    /// Creates a full bucket with the rate, burst and line length of `limits`.
    pub fn new(limits: &Limits) -> Self {
        let burst = limits.log_burst as f64;
        Self {
            rate: limits.log_rate as f64,
            burst,
            max_line: limits.log_line,
            bucket: Mutex::new(Bucket { tokens: burst, refilled: Instant::now(), dropped: 0 }),
        }
    }

    /// Takes one token, or counts a dropped line and returns `None`.
    pub fn admit(&self) -> Option<Admitted> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<Admitted> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(bucket.refilled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * self.rate).min(self.burst);
        bucket.refilled = now;
        if bucket.tokens < 1.0 {
            bucket.dropped = bucket.dropped.saturating_add(1);
            return None;
        }
        bucket.tokens -= 1.0;
        Some(Admitted { dropped: std::mem::take(&mut bucket.dropped) })
    }

    /// Returns the maximum length of a line, in bytes.
    pub fn max_line(&self) -> usize {
        self.max_line
    }

    /// Clips `line` to [`max_line`](LogBudget::max_line) bytes, at a character boundary.
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
