//! The time by which an engine delivers: it never goes back while the process runs, and goes on when a file is reopened.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells milliseconds since 1970.
pub(crate) struct Clock {
    /// The machine's time when the clock was made. Later steps of the machine's clock change nothing.
    start: u64,
    since: Instant,
    /// What a test says the time is.
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
    /// The time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        #[cfg(test)]
        if let Some(set) = &self.set {
            return set.load(std::sync::atomic::Ordering::Relaxed);
        }
        self.start.saturating_add(millis(self.since.elapsed()))
    }
}

/// The time that is so many milliseconds after 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

/// The milliseconds in `duration`.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
