//! `Schedule`: the times of requests at a fixed rate.

use std::time::{Duration, Instant};

/// Starts requests by the clock, whether or not earlier ones are answered.
pub(crate) struct Schedule {
    start: Instant,
    interval: Duration,
    /// The number of requests that have been started.
    started: u32,
    /// The indexes of the connections without a request in flight.
    pub(crate) idle: Vec<usize>,
}

impl Schedule {
    /// Creates the schedule of `rate` requests a second.
    pub(crate) fn new(rate: u32, start: Instant) -> Self {
        Self { start, interval: Duration::from_secs(1) / rate.max(1), started: 0, idle: Vec::new() }
    }

    /// Returns an idle connection for the next request and the time at which that was due. `None` if it is not due, or if no
    /// connection is idle.
    pub(crate) fn next(&mut self) -> Option<(usize, Instant)> {
        let due = self.due();
        if due > Instant::now() {
            return None;
        }
        let index = self.idle.pop()?;
        self.started += 1;
        Some((index, due))
    }

    /// Returns the time until the next request. `None` if no connection is idle.
    pub(crate) fn wait(&self) -> Option<Duration> {
        (!self.idle.is_empty()).then(|| self.due().saturating_duration_since(Instant::now()))
    }

    fn due(&self) -> Instant {
        self.start + self.interval * self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_the_rate_and_wait_for_a_connection() {
        let start = Instant::now() - Duration::from_millis(25);
        let mut schedule = Schedule::new(100, start);
        assert_eq!((schedule.next(), schedule.wait()), (None, None));
        schedule.idle.extend([4, 5, 6, 7, 8]);
        let due = |millis| start + Duration::from_millis(millis);
        assert_eq!([schedule.next(), schedule.next()], [Some((8, due(0))), Some((7, due(10)))]);
        assert_eq!(schedule.next(), Some((6, due(20))));
        let mut later = Schedule::new(1, Instant::now() + Duration::from_secs(5));
        later.idle.push(0);
        assert!(later.next().is_none() && later.wait() > Some(Duration::from_secs(3)));
    }
}
