//! The engine's clock: monotonic within a process, wall-clock time across restarts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub(crate) struct Clock {
    /// Wall-clock time at creation. Later steps of the system clock have no effect.
    start: u64,
    since: Instant,
    /// Overrides the time in tests.
    #[cfg(test)]
    pub(crate) set: Option<std::sync::Arc<std::sync::atomic::AtomicU64>>,
}

impl Default for Clock {
    fn default() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Self {
            start,
            since: Instant::now(),
            #[cfg(test)]
            set: None,
        }
    }
}

impl Clock {
    /// The current time, in milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        #[cfg(test)]
        if let Some(set) = &self.set {
            return set.load(std::sync::atomic::Ordering::Relaxed);
        }
        self.start.saturating_add(millis(self.since.elapsed()))
    }
}

/// Converts milliseconds since the Unix epoch.
pub(crate) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

/// Converts `duration` to milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
