//! How slowly a client may take what waits for it.

use std::time::{Duration, Instant};

/// The time that a client has at the bound of the backlog, and while the server stops.
pub(crate) const HURRY: Duration = Duration::from_secs(1);

/// The least that a client takes while data waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes a second.
    pub(crate) rate: usize,
    /// What the rate is measured over.
    pub(crate) time: Duration,
}

impl Pace {
    /// The same rate, measured over [`HURRY`] at most.
    pub(crate) fn hurried(self) -> Self {
        Self { time: self.time.min(HURRY), ..self }
    }

    /// How often to measure.
    pub(crate) fn period(self) -> Duration {
        self.time / 4
    }

    fn due(self, time: Duration) -> u64 {
        (self.rate as f64 * time.as_secs_f64()).ceil() as u64
    }
}

/// What has been taken at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) at: Instant,
    /// Bytes that the client has taken.
    pub(crate) taken: u64,
    /// Bytes that the connection has written.
    pub(crate) written: u64,
}

/// Measures the pace from when data begins to wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measure(Option<Progress>);

impl Measure {
    /// No data waits.
    pub(crate) fn rest(&mut self) {
        self.0 = None;
    }

    /// Whether the client has taken less than `pace` allows, although the connection has written enough for `share`
    /// streams. `progress` only grows from call to call.
    pub(crate) fn is_slow(&mut self, pace: Pace, progress: Progress, share: u64) -> bool {
        let begin = *self.0.get_or_insert(progress);
        let time = progress.at.saturating_duration_since(begin.at);
        if time < pace.time {
            return false;
        }
        self.0 = Some(progress);
        let due = pace.due(time);
        let written = progress.written.saturating_sub(begin.written);
        progress.taken.saturating_sub(begin.taken) < due && written >= due.saturating_mul(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { rate: 1024, time: Duration::from_secs(30) };

    /// What was taken and written `seconds` after `start`.
    fn progress(start: Instant, seconds: u64, taken: u64, written: u64) -> Progress {
        Progress { at: start + Duration::from_secs(seconds), taken, written }
    }

    #[test]
    fn a_client_is_slow_below_the_rate_only() {
        let start = Instant::now();
        for (taken, slow) in [(0, true), (30 * 1024 - 1, true), (30 * 1024, false)] {
            let mut measure = Measure::default();
            assert!(!measure.is_slow(PACE, progress(start, 0, 0, 0), 0));
            assert!(!measure.is_slow(PACE, progress(start, 29, taken, taken), 0), "not yet");
            assert_eq!(measure.is_slow(PACE, progress(start, 30, taken, taken), 0), slow, "{taken}");
        }
    }

    #[test]
    fn each_stretch_is_measured_anew() {
        let start = Instant::now();
        let mut measure = Measure::default();
        assert!(!measure.is_slow(PACE, progress(start, 0, 0, 0), 0));
        assert!(!measure.is_slow(PACE, progress(start, 30, 1 << 20, 0), 0));
        assert!(!measure.is_slow(PACE, progress(start, 59, 1 << 20, 0), 0));
        assert!(measure.is_slow(PACE, progress(start, 60, 1 << 20, 0), 0), "what was taken before does not count");
        measure.rest();
        assert!(!measure.is_slow(PACE, progress(start, 90, 1 << 20, 0), 0), "nothing waited");
    }

    #[test]
    fn a_stream_is_not_slow_where_its_connection_is() {
        let start = Instant::now();
        for (written, slow) in [(10 * 30 * 1024 - 1, false), (10 * 30 * 1024, true)] {
            let mut measure = Measure::default();
            assert!(!measure.is_slow(PACE, progress(start, 0, 0, 0), 10));
            assert_eq!(measure.is_slow(PACE, progress(start, 30, 0, written), 10), slow, "{written}");
        }
    }

    #[test]
    fn a_hurry_makes_no_time_longer() {
        assert_eq!(PACE.hurried().time, HURRY);
        let short = Pace { time: Duration::from_millis(200), ..PACE };
        assert_eq!(short.hurried().time, short.time);
    }
}
