//! The rate limit on guest lines in the host's log.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::Limits;
use crate::log_text::escape;

/// Interval at which the number of dropped lines is reported while lines are dropped.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

type Report = Box<dyn Fn(u64) + Send + Sync>;

/// A token bucket over log lines, shared by all instances of a component. It also clips and escapes lines.
///
/// Dropped lines are counted. A task reports their number once a second while lines are dropped, and dropping the budget
/// reports the rest.
pub struct LogBudget(Arc<Shared>);

struct Shared {
    rate: f64,
    burst: f64,
    max_line: usize,
    report: Report,
    /// The name of the component.
    component: Option<Arc<str>>,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    refilled: Instant,
    /// Lines dropped since the last report.
    dropped: u64,
    /// The task that reports them, if one runs.
    reporter: Option<AbortHandle>,
}

impl LogBudget {
    /// Creates a full bucket with the rate, burst and line length of `limits`. `report` gets the numbers of dropped lines.
    pub fn new(limits: &Limits, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let burst = limits.log_burst as f64;
        Self(Arc::new(Shared {
            rate: limits.log_rate as f64,
            burst,
            max_line: limits.log_line,
            report: Box::new(report),
            component: None,
            bucket: Mutex::new(Bucket { tokens: burst, refilled: Instant::now(), dropped: 0, reporter: None }),
        }))
    }

    /// Names the component in the host's own lines about it. Without effect on a budget that is in use.
    #[must_use]
    pub fn of_component(mut self, name: Arc<str>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.component = Some(name);
        }
        self
    }

    /// Returns the name of the component.
    pub(crate) fn component(&self) -> Option<&str> {
        self.0.component.as_deref()
    }

    /// Takes one token. Returns false, and counts a dropped line, if there is none.
    pub fn admit(&self) -> bool {
        let admitted = self.0.admit_at(Instant::now());
        if !admitted {
            self.start_reporter();
        }
        admitted
    }

    /// A dropped line was written after all.
    pub(crate) fn recover(&self) {
        let mut bucket = self.0.bucket();
        bucket.dropped = bucket.dropped.saturating_sub(1);
    }

    /// Returns the maximum length of a line, in bytes.
    pub fn max_line(&self) -> usize {
        self.0.max_line
    }

    /// Returns `text` as a line may contain it: clipped, and with control characters, line separators and bidirectional
    /// controls escaped. The second part is whether it was clipped.
    pub fn line<'a>(&self, text: &'a str) -> (Cow<'a, str>, bool) {
        escape(text, self.0.max_line)
    }

    /// Starts the task that reports dropped lines, unless it runs. Without a tokio runtime, the end of the budget reports
    /// them.
    fn start_reporter(&self) {
        let mut bucket = self.0.bucket();
        if bucket.reporter.is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = self.0.clone();
        bucket.reporter = Some(
            runtime
                .spawn(async move {
                    loop {
                        tokio::time::sleep(REPORT_INTERVAL).await;
                        if !shared.report() {
                            return;
                        }
                    }
                })
                .abort_handle(),
        );
    }
}

impl Shared {
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit_at(&self, now: Instant) -> bool {
        let mut bucket = self.bucket();
        let elapsed = now.saturating_duration_since(bucket.refilled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * self.rate).min(self.burst);
        bucket.refilled = now;
        if bucket.tokens < 1.0 {
            bucket.dropped = bucket.dropped.saturating_add(1);
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// Reports the lines that were dropped since the last report. Returns false, and the reporter ends, if there are none.
    fn report(&self) -> bool {
        let mut bucket = self.bucket();
        let dropped = std::mem::take(&mut bucket.dropped);
        if dropped == 0 {
            bucket.reporter = None;
            return false;
        }
        drop(bucket);
        (self.report)(dropped);
        true
    }
}

impl Drop for LogBudget {
    fn drop(&mut self) {
        let reporter = self.0.bucket().reporter.take();
        if let Some(reporter) = reporter {
            reporter.abort();
        }
        self.0.report();
    }
}

impl fmt::Debug for LogBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBudget").field("dropped", &self.0.bucket().dropped).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    fn budget() -> (LogBudget, Receiver<u64>) {
        let (sender, reports) = channel();
        let limits = Limits { log_burst: 2, log_rate: 10, log_line: 4, ..Limits::default() };
        (LogBudget::new(&limits, move |dropped| sender.send(dropped).unwrap()), reports)
    }

    #[test]
    fn a_burst_then_the_rate_and_the_end_reports_the_dropped() {
        let (budget, reports) = budget();
        let start = Instant::now();
        let admitted: Vec<_> = (0..4).map(|_| budget.0.admit_at(start)).collect();
        assert_eq!(admitted, [true, true, false, false]);
        let later = start + Duration::from_millis(101);
        assert!(budget.0.admit_at(later));
        assert!(!budget.0.admit_at(later));
        budget.recover();
        assert!(reports.try_recv().is_err());
        drop(budget);
        assert_eq!(reports.try_iter().collect::<Vec<_>>(), [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_dropped_are_reported_each_second_and_after_the_last() {
        let (budget, reports) = budget();
        for expected in [98, 100] {
            for _ in 0..100 {
                budget.admit();
            }
            tokio::time::sleep(REPORT_INTERVAL + Duration::from_millis(1)).await;
            let reported = reports.try_iter().sum::<u64>();
            // The bucket refills by the clock of the system, which is not paused.
            assert!((expected - 20..=expected).contains(&reported), "{reported}");
        }
        tokio::time::sleep(10 * REPORT_INTERVAL).await;
        assert!(budget.0.bucket().reporter.is_none());
        assert_eq!(reports.try_iter().count(), 0);
        drop(budget);
        assert_eq!(reports.try_iter().count(), 0);
    }

    #[test]
    fn lines_are_clipped_at_whole_characters() {
        let (budget, _reports) = budget();
        assert_eq!(budget.line("abcd"), ("abcd".into(), false));
        assert_eq!(budget.line("abcde"), ("abcd".into(), true));
        assert_eq!(budget.line("abcé"), ("abc".into(), true));
    }
}
