//! What a listener logs when it cannot accept connections.

use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

/// The least time between two lines of one listener.
const PAUSE: Duration = Duration::from_secs(1);

/// Logs that connections cannot be accepted, once a second at most: a process without a free file descriptor fails to
/// accept many times a second.
#[derive(Debug, Default)]
pub struct AcceptErrors {
    logged: Option<Instant>,
    unlogged: u64,
}

impl AcceptErrors {
    /// Logs `error` of the listener on `address`, or counts it for the next line.
    pub fn log(&mut self, address: &dyn Display, error: &io::Error) {
        if let Some(more) = self.due(Instant::now()) {
            tracing::warn!(%address, %error, more, "a connection cannot be accepted");
        }
    }

    /// How many errors have been counted since the last line, if it is time for another.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < PAUSE) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_one_line_and_the_next_counts_the_others() {
        let (mut errors, start) = (AcceptErrors::default(), Instant::now());
        assert_eq!(errors.due(start), Some(0));
        for _ in 0..873 {
            assert_eq!(errors.due(start + Duration::from_millis(999)), None);
        }
        assert_eq!(errors.due(start + PAUSE), Some(873));
        assert_eq!(errors.due(start + 2 * PAUSE), Some(0));
    }
}
