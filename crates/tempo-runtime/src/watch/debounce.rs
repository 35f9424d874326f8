//! `Debounce`: delays a report until the changes pause, but not for long.

use std::time::{Duration, Instant};

/// Time without a change before a report: tools write several files, and a file in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// Maximum delay of a report, while changes go on.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The time of the next report.
#[derive(Debug, Default)]
pub(super) struct Debounce(Option<Delay>);

#[derive(Debug)]
struct Delay {
    first: Instant,
    last: Instant,
}

impl Debounce {
    /// Records a change at the time `now`.
    pub(super) fn record(&mut self, now: Instant) {
        let first = self.0.as_ref().map_or(now, |delay| delay.first);
        self.0 = Some(Delay { first, last: now });
    }

    /// Returns when to report, if there are changes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|Delay { first, last }| (*last + QUIET).min(*first + MAX_DELAY))
    }

    /// Forgets the changes, which have been reported.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_waits_for_a_pause_but_not_for_long() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut debounce = Debounce::default();
        assert_eq!(debounce.deadline(), None);
        debounce.record(at(0));
        assert_eq!(debounce.deadline(), Some(at(50)));
        debounce.record(at(40));
        assert_eq!(debounce.deadline(), Some(at(90)));
        (2..=12).for_each(|step| debounce.record(at(step * 40)));
        assert_eq!(debounce.deadline(), Some(at(500)));
        debounce.reset();
        assert_eq!(debounce.deadline(), None);
        debounce.record(at(700));
        assert_eq!(debounce.deadline(), Some(at(750)));
    }
}
