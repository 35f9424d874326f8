//! The minimum rate at which clients must read response data.

use std::time::{Duration, Instant};

/// The measuring window while the backlog is full or the server is closing.
pub(crate) const SHORT_SEND_WINDOW: Duration = Duration::from_secs(1);

/// The minimum rate at which a client reads while data waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MinSendRate {
    /// Bytes per second.
    pub(crate) bytes_per_second: usize,
    /// Time over which the rate is measured.
    pub(crate) window: Duration,
}

impl MinSendRate {
    /// Returns the same rate, measured over at most [`SHORT_SEND_WINDOW`].
    pub(crate) fn shortened(self) -> Self {
        Self { window: self.window.min(SHORT_SEND_WINDOW), ..self }
    }

    /// Returns the interval between measurements.
    pub(crate) fn check_interval(self) -> Duration {
        self.window / 4
    }

    fn min_bytes(self, window: Duration) -> u64 {
        (self.bytes_per_second as f64 * window.as_secs_f64()).ceil() as u64
    }
}

/// A sample of the bytes sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendProgress {
    pub(crate) at: Instant,
    /// Bytes that the client has read.
    pub(crate) taken: u64,
    /// Bytes that the connection has written.
    pub(crate) written: u64,
}

/// Measures the rate from when data begins to wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateMeter(Option<SendProgress>);

impl RateMeter {
    /// Stops measuring: no data waits.
    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }

    /// Returns whether the client has read less than `send_rate` requires, although the connection has written enough
    /// for `share` streams. The counters of `progress` never decrease.
    pub(crate) fn is_slow(&mut self, send_rate: MinSendRate, progress: SendProgress, share: u64) -> bool {
        let begin = *self.0.get_or_insert(progress);
        let window = progress.at.saturating_duration_since(begin.at);
        if window < send_rate.window {
            return false;
        }
        self.0 = Some(progress);
        let min_bytes = send_rate.min_bytes(window);
        let written = progress.written.saturating_sub(begin.written);
        progress.taken.saturating_sub(begin.taken) < min_bytes && written >= min_bytes.saturating_mul(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: MinSendRate = MinSendRate { bytes_per_second: 1024, window: Duration::from_secs(30) };

    /// Returns a sample taken `seconds` after `start`.
    fn progress(start: Instant, seconds: u64, taken: u64, written: u64) -> SendProgress {
        SendProgress { at: start + Duration::from_secs(seconds), taken, written }
    }

    #[test]
    fn a_client_is_slow_below_the_rate_only() {
        let start = Instant::now();
        for (taken, slow) in [(0, true), (30 * 1024 - 1, true), (30 * 1024, false)] {
            let mut meter = RateMeter::default();
            assert!(!meter.is_slow(RATE, progress(start, 0, 0, 0), 0));
            assert!(!meter.is_slow(RATE, progress(start, 29, taken, taken), 0), "not yet");
            assert_eq!(meter.is_slow(RATE, progress(start, 30, taken, taken), 0), slow, "{taken}");
        }
    }

    #[test]
    fn each_stretch_is_measured_anew() {
        let start = Instant::now();
        let mut meter = RateMeter::default();
        assert!(!meter.is_slow(RATE, progress(start, 0, 0, 0), 0));
        assert!(!meter.is_slow(RATE, progress(start, 30, 1 << 20, 0), 0));
        assert!(!meter.is_slow(RATE, progress(start, 59, 1 << 20, 0), 0));
        assert!(meter.is_slow(RATE, progress(start, 60, 1 << 20, 0), 0), "what was taken before does not count");
        meter.reset();
        assert!(!meter.is_slow(RATE, progress(start, 90, 1 << 20, 0), 0), "nothing waited");
    }

    #[test]
    fn a_stream_is_not_slow_where_its_connection_is() {
        let start = Instant::now();
        for (written, slow) in [(10 * 30 * 1024 - 1, false), (10 * 30 * 1024, true)] {
            let mut meter = RateMeter::default();
            assert!(!meter.is_slow(RATE, progress(start, 0, 0, 0), 10));
            assert_eq!(meter.is_slow(RATE, progress(start, 30, 0, written), 10), slow, "{written}");
        }
    }

    #[test]
    fn a_hurry_makes_no_time_longer() {
        assert_eq!(RATE.shortened().window, SHORT_SEND_WINDOW);
        let short = MinSendRate { window: Duration::from_millis(200), ..RATE };
        assert_eq!(short.shortened().window, short.window);
    }
}
