//! Measures the processor time of one call into a guest, and says when it must yield or end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Why a call was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It used more processor time than it may.
    Cpu,
    /// It took longer than it may.
    Deadline,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "the processor time of the request ran out (--cpu-timeout)",
            Self::Deadline => "the time of the request ran out (--request-timeout)",
        })
    }
}

impl std::error::Error for Interrupted {}

/// What a guest should do at an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// It has only just been resumed: go on.
    Continue,
    /// It has run for a whole tick: let others run.
    Yield,
    /// Its processor time has run out.
    Exhausted,
}

/// The processor time that a call has used.
///
/// A poll in which no epoch tick comes is charged the wall-clock time that it took, one tick at most: two readings of that
/// clock cost far less than a system call. From the first tick inside a poll on, the thread's own clock is read, so that a
/// thread that waits for a processor is charged nothing. A call that once stayed inside for longer than it was charged is
/// measured by the thread's clock in all of its further polls.
#[derive(Debug)]
pub struct Meter {
    origin: Instant,
    tick: u64,
    budget: u64,
    /// The wall clock at the beginning of this poll.
    entered: AtomicU64,
    /// The thread's clock up to which this poll is charged; [`UNREAD`] before its first reading.
    charged_to: AtomicU64,
    /// What this poll was charged so far; of no meaning before the first reading.
    inside: AtomicU64,
    spent: AtomicU64,
    /// Whether polls begin with a reading of the thread's clock.
    exact: AtomicBool,
    busy: AtomicBool,
}

/// Stands for a clock that was not read in this poll.
const UNREAD: u64 = u64::MAX;

impl Meter {
    /// A meter that allows `budget` of processor time, for an engine whose epoch advances every `tick`.
    pub fn new(budget: Duration, tick: Duration) -> Self {
        Self {
            origin: Instant::now(),
            tick: nanos(tick),
            budget: nanos(budget),
            entered: AtomicU64::new(0),
            charged_to: AtomicU64::new(UNREAD),
            inside: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            exact: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        }
    }

    /// Starts over, for the next call in the same instance.
    pub fn reset(&self) {
        self.spent.store(0, Relaxed);
        self.exact.store(false, Relaxed);
        self.busy.store(false, Relaxed);
    }

    /// Processor time used since the last reset, up to the last time the call was left.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    /// A thread enters the call.
    pub(crate) fn enter(&self) {
        self.enter_at(self.wall(), thread_time);
    }

    /// The thread leaves the call.
    pub(crate) fn leave(&self) {
        self.charge(|| self.wall(), thread_time);
    }

    /// Whether the call has computed for a whole tick without a pause.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// The engine's epoch has advanced while the guest ran.
    pub(crate) fn tick(&self) -> Tick {
        self.tick_at(self.wall(), thread_time)
    }

    fn enter_at(&self, wall: u64, cpu: impl FnOnce() -> u64) {
        self.entered.store(wall, Relaxed);
        if self.exact.load(Relaxed) {
            self.inside.store(0, Relaxed);
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
        if self.spent.load(Relaxed) > self.budget {
            Tick::Exhausted
        } else if !first && self.inside.load(Relaxed) >= self.tick {
            self.exact.store(true, Relaxed);
            self.busy.store(true, Relaxed);
            Tick::Yield
        } else {
            // Before the first reading the thread may have waited for a processor most of the time.
            Tick::Continue
        }
    }

    /// Charges what was used since the last reading or, in a poll without one, since its beginning.
    fn charge(&self, wall: impl FnOnce() -> u64, cpu: impl FnOnce() -> u64) {
        let read = self.charged_to.load(Relaxed);
        let used = if read == UNREAD {
            let used = wall().saturating_sub(self.entered.load(Relaxed));
            if used > self.tick {
                self.exact.store(true, Relaxed);
            }
            let used = used.min(self.tick);
            self.inside.store(used, Relaxed);
            used
        } else {
            let used = cpu().saturating_sub(read);
            self.inside.fetch_add(used, Relaxed);
            used
        };
        self.spent.fetch_add(used, Relaxed);
    }

    fn wall(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
}

/// The processor time of the thread that asks, in nanoseconds. It is a system call.
#[cfg(unix)]
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    nanos(Duration::try_from(time).unwrap_or_default())
}

/// Where threads have no clock of their own, all time inside a call is taken for processor time.
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
    fn meter() -> Meter {
        Meter::new(Duration::from_millis(30), Duration::from_millis(10))
    }

    fn spent(meter: &Meter) -> u64 {
        meter.spent.load(Relaxed) / MS
    }

    /// For polls in which the thread's clock must not be read.
    fn unread() -> u64 {
        panic!("a short poll made a system call")
    }

    #[test]
    fn short_polls_are_charged_wall_time_and_read_no_other_clock() {
        let meter = meter();
        for poll in 0..5 {
            meter.enter_at(poll * 100 * MS, unread);
            meter.charge(|| poll * 100 * MS + 2 * MS, unread);
        }
        assert_eq!(spent(&meter), 10);
        assert!(!meter.is_busy());
    }

    #[test]
    fn a_poll_without_a_tick_is_charged_one_tick_at_most() {
        let meter = meter();
        meter.enter_at(0, unread);
        meter.charge(|| 500 * MS, unread);
        assert_eq!(spent(&meter), 10);
    }

    #[test]
    fn after_a_poll_that_took_longer_all_time_is_the_threads() {
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
    fn a_thread_that_waits_for_a_processor_is_charged_what_it_gets() {
        let meter = meter();
        meter.enter_at(0, unread);
        // Every 40 ms of the clock on the wall it has 4 ms of a processor.
        assert_eq!(meter.tick_at(40 * MS, || 1004 * MS), Tick::Continue);
        assert_eq!(spent(&meter), 10, "nothing is known of the time before the first tick but that it was one at most");
        assert_eq!(meter.tick_at(80 * MS, || 1008 * MS), Tick::Yield);
        assert_eq!(spent(&meter), 14);
        meter.charge(|| unreachable!(), || 1009 * MS);
        // It goes on, on another thread.
        meter.enter_at(200 * MS, || 7 * MS);
        assert_eq!(meter.tick_at(240 * MS, || 11 * MS), Tick::Continue);
        assert_eq!(meter.tick_at(280 * MS, || 15 * MS), Tick::Continue);
        assert_eq!(meter.tick_at(320 * MS, || 19 * MS), Tick::Yield);
        assert_eq!(spent(&meter), 27);
        assert_eq!(meter.tick_at(360 * MS, || 23 * MS), Tick::Exhausted);
    }

    #[test]
    fn a_call_that_was_only_just_resumed_goes_on() {
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
    fn time_adds_up_over_polls_until_none_is_left() {
        let meter = meter();
        for poll in 0..3 {
            meter.enter_at(poll * 10 * MS, unread);
            meter.charge(|| (poll * 10 + 9) * MS, unread);
        }
        meter.enter_at(30 * MS, unread);
        assert_eq!(meter.tick_at(33 * MS, || 0), Tick::Continue, "30 ms are not more than 30 ms");
        assert_eq!(meter.tick_at(34 * MS, || MS), Tick::Exhausted);
    }

    #[test]
    fn a_thread_has_no_processor_time_while_it_sleeps() {
        let before = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        assert!(thread_time() - before < 50 * MS);
    }
}
