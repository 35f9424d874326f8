//! `AcceptErrors`: logs the errors of accept(2), rate-limited.

use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

/// The shortest time between two lines of one listener.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Logs failures to accept connections, at most one line a second: accept(2) fails in a tight loop while the process has
/// no free file descriptor.
#[derive(Debug, Default)]
pub struct AcceptErrors {
    last_logged: Option<Instant>,
    suppressed: u64,
}

impl AcceptErrors {
    /// Logs `error` of the listener on `address`, or adds it to the count of the next line.
    pub fn log(&mut self, address: &dyn Display, error: &io::Error) {
        if let Some(more) = self.due(Instant::now()) {
            tracing::warn!(%address, %error, more, "a connection cannot be accepted");
        }
    }

    /// Returns the number of errors suppressed since the last line if a line is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.last_logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.last_logged = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_counts_the_suppressed_errors() {
        let (mut errors, start) = (AcceptErrors::default(), Instant::now());
        assert_eq!(errors.due(start), Some(0));
        for _ in 0..873 {
            assert_eq!(errors.due(start + Duration::from_millis(999)), None);
        }
        assert_eq!(errors.due(start + LOG_INTERVAL), Some(873));
        assert_eq!(errors.due(start + 2 * LOG_INTERVAL), Some(0));
    }
}
