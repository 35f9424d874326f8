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

/// The processor time that a call has used: the time for which a thread was inside the call.
///
/// Two clock readings for each poll cost far less than asking the kernel for a thread's time, and on a machine that is
/// not overcommitted they are the same.
#[derive(Debug)]
pub struct Meter {
    origin: Instant,
    tick: Duration,
    budget: u64,
    entered: AtomicU64,
    spent: AtomicU64,
    busy: AtomicBool,
}

impl Meter {
    /// A meter that allows `budget` of processor time, for an engine whose epoch advances every `tick`.
    pub fn new(budget: Duration, tick: Duration) -> Self {
        Self {
            origin: Instant::now(),
            tick,
            budget: nanos(budget),
            entered: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            busy: AtomicBool::new(false),
        }
    }

    /// Starts over, for the next call in the same instance.
    pub fn reset(&self) {
        self.spent.store(0, Relaxed);
        self.busy.store(false, Relaxed);
    }

    /// Processor time used since the last reset, up to the last time the call was left.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    /// A thread enters the call.
    pub(crate) fn enter(&self) {
        self.entered.store(nanos(self.origin.elapsed()), Relaxed);
    }

    /// The thread leaves the call.
    pub(crate) fn leave(&self) {
        self.spent.fetch_add(self.inside(), Relaxed);
    }

    /// Whether the call has run for a whole tick without a pause.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// The engine's epoch has advanced while the guest ran.
    pub(crate) fn tick(&self) -> Tick {
        let inside = self.inside();
        if self.spent.load(Relaxed).saturating_add(inside) > self.budget {
            Tick::Exhausted
        } else if inside >= nanos(self.tick) {
            self.busy.store(true, Relaxed);
            Tick::Yield
        } else {
            Tick::Continue
        }
    }

    fn inside(&self) -> u64 {
        nanos(self.origin.elapsed()).saturating_sub(self.entered.load(Relaxed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_only_just_resumed_goes_on() {
        let meter = Meter::new(Duration::MAX, Duration::MAX);
        meter.enter();
        assert_eq!(meter.tick(), Tick::Continue);
        assert!(!meter.is_busy());
    }

    #[test]
    fn a_whole_tick_makes_it_busy_until_reset() {
        let meter = Meter::new(Duration::MAX, Duration::ZERO);
        meter.enter();
        assert_eq!(meter.tick(), Tick::Yield);
        assert!(meter.is_busy());
        meter.reset();
        assert!(!meter.is_busy());
    }

    #[test]
    fn time_adds_up_over_polls_until_none_is_left() {
        let meter = Meter::new(Duration::from_millis(4), Duration::MAX);
        for _ in 0..2 {
            meter.enter();
            std::thread::sleep(Duration::from_millis(3));
            meter.leave();
        }
        meter.enter();
        assert!(meter.spent() >= Duration::from_millis(6));
        assert_eq!(meter.tick(), Tick::Exhausted);
    }
}
