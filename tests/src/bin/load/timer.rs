//! `Timer`: wakes the event loop when the next request is due.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

/// A timer that is an event of a poll: the timeout of the poll itself has a resolution of a millisecond.
#[cfg(target_os = "linux")]
pub(crate) struct Timer(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Timer {
    /// The token of its events.
    const TOKEN: Token = Token(usize::MAX);

    /// Creates the timer. Its events have a token that no connection has.
    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        use std::os::fd::AsRawFd as _;

        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut mio::unix::SourceFd(&timer.as_raw_fd()), Self::TOKEN, mio::Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Sets the timer to `wait` from now. Returns the maximum duration of the poll.
    pub(crate) fn set(&self, wait: Duration) -> io::Result<Duration> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        // Zero would stop the timer.
        let wait = wait.max(Duration::from_nanos(1));
        let at = Timespec::try_from(wait).map_err(io::Error::other)?;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: at })?;
        Ok(Duration::MAX)
    }
}

/// Elsewhere, the poll ends a millisecond early, and the last one is spent polling.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(crate) fn new(_: &Registry) -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn set(&self, wait: Duration) -> io::Result<Duration> {
        Ok(wait.saturating_sub(Duration::from_millis(1)))
    }
}
