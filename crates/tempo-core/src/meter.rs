//! Measures the processor time of one call into a guest, and decides when it yields or ends.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The reason why the host ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interrupted {
    /// The call exceeded its processor time.
    Cpu,
    /// The call exceeded its deadline.
    Deadline,
    /// The guest paused for too long while its response streamed.
    StreamIdle,
    /// The guest ran for too long after its response.
    AfterResponse,
    /// The component was replaced, and its last calls had to end.
    Replaced,
}

impl Interrupted {
    /// Returns the name of the limit's flag.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Cpu => "cpu-timeout",
            Self::Deadline => "request-timeout",
            Self::StreamIdle => "stream-idle-timeout",
            Self::AfterResponse => "after-response-timeout",
            Self::Replaced => "drain-timeout",
        }
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Cpu => "the request exceeded its processor time",
            Self::Deadline => "the request timed out",
            Self::StreamIdle => "the response paused for too long",
            Self::AfterResponse => "the request took too long after its response",
            Self::Replaced => "the component was replaced, and the request did not end in time",
        };
        write!(f, "{what} (--{})", self.flag())
    }
}

impl std::error::Error for Interrupted {}

/// The decision at an epoch tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// The guest has run for less than a tick and continues.
    Continue,
    /// The guest has run for a whole tick and yields.
    Yield,
    /// The guest has exhausted its processor time.
    Exhausted,
}

/// Measures the processor time of a call. All times are in nanoseconds.
///
/// A poll without an epoch tick is charged its wall-clock time, at most one tick: reading that clock costs far less than a
/// system call. From the first tick of a poll on, the meter reads the thread's CPU clock, so that a preempted thread is
/// charged nothing. Once a poll has taken longer than it was charged, all further polls of the call are measured by the CPU
/// clock from their start.
#[derive(Debug)]
pub struct CpuMeter {
    origin: Instant,
    tick: u64,
    budget: u64,
    /// Wall clock at the start of this poll.
    entered: AtomicU64,
    /// CPU clock up to which this poll is charged; [`UNREAD`] before its first reading.
    charged_to: AtomicU64,
    /// Time charged to this poll; meaningless before the first reading.
    poll_time: AtomicU64,
    spent: AtomicU64,
    /// The part of `spent` that no longer counts towards the budget.
    refilled: AtomicU64,
    /// Wall clock up to which the budget was refilled; [`NEVER`] if it does not refill.
    refilled_to: AtomicU64,
    /// Whether polls read the CPU clock at their start.
    exact: AtomicBool,
    busy: AtomicBool,
}

/// Value of [`CpuMeter::charged_to`] before the CPU clock is read in a poll.
const UNREAD: u64 = u64::MAX;
/// Value of [`CpuMeter::refilled_to`] of a budget that does not refill.
const NEVER: u64 = u64::MAX;
/// A budget that refills gains one nanosecond in as many nanoseconds of wall-clock time.
const REFILL_PERIOD: u64 = 10;

impl CpuMeter {
    /// Creates a meter with a budget of processor time, for an engine whose epoch advances every `tick`.
    pub fn new(budget: Duration, tick: Duration) -> Self {
        Self {
            origin: Instant::now(),
            tick: nanos(tick),
            budget: nanos(budget),
            entered: AtomicU64::new(0),
            charged_to: AtomicU64::new(UNREAD),
            poll_time: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            refilled: AtomicU64::new(0),
            refilled_to: AtomicU64::new(NEVER),
            exact: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        }
    }

    /// Resets the meter for the next call in the same instance.
    pub fn reset(&self) {
        self.spent.store(0, Relaxed);
        self.refilled.store(0, Relaxed);
        self.refilled_to.store(NEVER, Relaxed);
        self.exact.store(false, Relaxed);
        self.busy.store(false, Relaxed);
    }

    /// Returns the processor time used since the last reset, up to the end of the last poll.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    /// Refills the budget from now on until the next reset, by a tenth of the wall-clock time that passes.
    pub(crate) fn start_refill(&self) {
        self.refilled_to.store(self.wall(), Relaxed);
    }

    /// Starts a poll.
    pub(crate) fn enter(&self) {
        self.enter_at(self.wall(), thread_time);
    }

    /// Ends a poll.
    pub(crate) fn leave(&self) {
        self.charge(|| self.wall(), thread_time);
    }

    /// Returns whether one poll of the call has computed for a whole tick.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// Handles an epoch tick during a poll.
    pub(crate) fn tick(&self) -> Tick {
        self.tick_at(self.wall(), thread_time)
    }

    fn enter_at(&self, wall: u64, cpu: impl FnOnce() -> u64) {
        self.entered.store(wall, Relaxed);
        if self.exact.load(Relaxed) {
            self.poll_time.store(0, Relaxed);
            self.charged_to.store(cpu(), Relaxed);
        } else {
            self.charged_to.store(UNREAD, Relaxed);
        }
    }

    fn tick_at(&self, wall: u64, cpu: impl FnOnce() -> u64) -> Tick {
        let first = self.charged_to.load(Relaxed) == UNREAD;
        let now = cpu();
        self.charge(|| wall, || now);
        self.charged_to.store(now, Relaxed);
        if self.used(wall) > self.budget {
            Tick::Exhausted
        } else if !first && self.poll_time.load(Relaxed) >= self.tick {
            self.exact.store(true, Relaxed);
            self.busy.store(true, Relaxed);
            Tick::Yield
        } else {
            // Before the first reading, the thread may have been preempted for most of the time.
            Tick::Continue
        }
    }

    /// Returns the used part of the budget, after refilling it up to `wall`.
    fn used(&self, wall: u64) -> u64 {
        let spent = self.spent.load(Relaxed);
        let mut refilled = self.refilled.load(Relaxed);
        let refilled_to = self.refilled_to.load(Relaxed);
        if refilled_to != NEVER {
            refilled = spent.min(refilled.saturating_add(wall.saturating_sub(refilled_to) / REFILL_PERIOD));
            self.refilled.store(refilled, Relaxed);
            self.refilled_to.store(wall.max(refilled_to), Relaxed);
        }
        spent.saturating_sub(refilled)
    }

    /// Charges the time since the last CPU clock reading or, in a poll without one, since its start.
    fn charge(&self, wall: impl FnOnce() -> u64, cpu: impl FnOnce() -> u64) {
        let read = self.charged_to.load(Relaxed);
        let used = if read == UNREAD {
            let used = wall().saturating_sub(self.entered.load(Relaxed));
            if used > self.tick {
                self.exact.store(true, Relaxed);
            }
            let used = used.min(self.tick);
            self.poll_time.store(used, Relaxed);
            used
        } else {
            let used = cpu().saturating_sub(read);
            self.poll_time.fetch_add(used, Relaxed);
            used
        };
        self.spent.fetch_add(used, Relaxed);
    }

    fn wall(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
}

/// Returns the processor time of the calling thread, in nanoseconds. This is a system call.
#[cfg(unix)]
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    nanos(Duration::try_from(time).unwrap_or_default())
}

/// Returns wall-clock time on systems without a CPU clock of threads.
#[cfg(not(unix))]
fn thread_time() -> u64 {
    static ORIGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    nanos(ORIGIN.elapsed())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Ticks of 10 ms and a budget of 30 ms.
    fn meter() -> CpuMeter {
        CpuMeter::new(Duration::from_millis(30), Duration::from_millis(10))
    }

    fn spent(meter: &CpuMeter) -> u64 {
        meter.spent.load(Relaxed) / MS
    }

    /// The CPU clock of polls that must not read it.
    fn unread() -> u64 {
        panic!("a short poll made a system call")
    }

    #[test]
    fn short_polls_are_charged_wall_time_without_reading_the_cpu_clock() {
        let meter = meter();
        for poll in 0..5 {
            meter.enter_at(poll * 100 * MS, unread);
            meter.charge(|| poll * 100 * MS + 2 * MS, unread);
        }
        assert_eq!(spent(&meter), 10);
        assert!(!meter.is_busy());
    }

    #[test]
    fn a_poll_without_a_tick_is_charged_at_most_one_tick() {
        let meter = meter();
        meter.enter_at(0, unread);
        meter.charge(|| 500 * MS, unread);
        assert_eq!(spent(&meter), 10);
    }

    #[test]
    fn after_an_undercharged_poll_the_cpu_clock_is_used() {
        let meter = meter();
        meter.enter_at(0, unread);
        meter.charge(|| 500 * MS, unread);
        meter.enter_at(600 * MS, || 40 * MS);
        meter.charge(|| unreachable!(), || 47 * MS);
        assert_eq!(spent(&meter), 17);
        meter.reset();
        meter.enter_at(2000 * MS, unread);
        meter.charge(|| 2001 * MS, unread);
        assert_eq!(spent(&meter), 1);
    }

    #[test]
    fn a_preempted_thread_is_charged_its_cpu_time_only() {
        let meter = meter();
        meter.enter_at(0, unread);
        // The thread gets 4 ms of CPU time in every 40 ms of wall-clock time.
        assert_eq!(meter.tick_at(40 * MS, || 1004 * MS), Tick::Continue);
        assert_eq!(spent(&meter), 10, "the time before the first tick is charged as one tick at most");
        assert_eq!(meter.tick_at(80 * MS, || 1008 * MS), Tick::Yield);
        assert_eq!(spent(&meter), 14);
        meter.charge(|| unreachable!(), || 1009 * MS);
        // The next poll is on another thread.
        meter.enter_at(200 * MS, || 7 * MS);
        assert_eq!(meter.tick_at(240 * MS, || 11 * MS), Tick::Continue);
        assert_eq!(meter.tick_at(280 * MS, || 15 * MS), Tick::Continue);
        assert_eq!(meter.tick_at(320 * MS, || 19 * MS), Tick::Yield);
        assert_eq!(spent(&meter), 27);
        assert_eq!(meter.tick_at(360 * MS, || 23 * MS), Tick::Exhausted);
    }

    #[test]
    fn a_call_that_was_just_resumed_continues() {
        let meter = meter();
        meter.enter_at(0, unread);
        assert_eq!(meter.tick_at(MS, || 50 * MS), Tick::Continue);
        assert!(!meter.is_busy());
    }

    #[test]
    fn a_whole_tick_makes_it_busy_until_reset() {
        let meter = meter();
        meter.enter_at(0, unread);
        assert_eq!(meter.tick_at(3 * MS, || 50 * MS), Tick::Continue);
        assert_eq!(meter.tick_at(13 * MS, || 60 * MS), Tick::Yield);
        assert!(meter.is_busy());
        meter.reset();
        assert!(!meter.is_busy());
    }

    #[test]
    fn time_adds_up_over_polls_until_the_budget_is_exhausted() {
        let meter = meter();
        for poll in 0..3 {
            meter.enter_at(poll * 10 * MS, unread);
            meter.charge(|| (poll * 10 + 9) * MS, unread);
        }
        meter.enter_at(30 * MS, unread);
        assert_eq!(meter.tick_at(33 * MS, || 0), Tick::Continue, "exactly the budget");
        assert_eq!(meter.tick_at(34 * MS, || MS), Tick::Exhausted);
    }

    #[test]
    fn a_budget_that_refills_gains_a_tenth_of_the_time_and_never_more_than_was_spent() {
        let meter = meter();
        meter.refilled_to.store(0, Relaxed);
        // Each second, a poll of 80 ms in which the last tick comes after 25 ms.
        for poll in 0..20 {
            let start = 1000 * poll * MS;
            meter.enter_at(start, unread);
            assert_ne!(meter.tick_at(start + 5 * MS, || 0), Tick::Exhausted, "{poll}");
            assert_ne!(meter.tick_at(start + 25 * MS, || 20 * MS), Tick::Exhausted, "{poll}");
            meter.charge(|| unreachable!(), || 75 * MS);
            meter.exact.store(false, Relaxed);
        }
        assert_eq!(spent(&meter), 20 * 80);
        // A pause of an hour gives the budget of 30 ms and no more.
        let start = 3_600_000 * MS;
        meter.enter_at(start, unread);
        assert_ne!(meter.tick_at(start + MS, || 0), Tick::Exhausted);
        assert_ne!(meter.tick_at(start + 30 * MS, || 29 * MS), Tick::Exhausted);
        assert_eq!(meter.tick_at(start + 41 * MS, || 40 * MS), Tick::Exhausted);
        meter.reset();
        meter.enter_at(start, unread);
        assert_eq!(meter.tick_at(start + 40 * MS, || 0), Tick::Continue);
        assert_eq!(meter.tick_at(start + 70 * MS, || 31 * MS), Tick::Exhausted);
    }

    #[test]
    fn a_sleeping_thread_uses_no_cpu_time() {
        let before = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        assert!(thread_time() - before < 50 * MS);
    }
}
