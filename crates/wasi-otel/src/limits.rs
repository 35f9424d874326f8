//! Limits on a component's telemetry: sizes and counts of one item, and rates shared by all instances.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempo_core::{Limits, LogBudget};

/// Attributes of a span, an event, a link, a point or a log record.
pub(crate) const MAX_ATTRIBUTES: usize = 128;
/// Events of a span.
pub(crate) const MAX_EVENTS: usize = 128;
/// Links of a span.
pub(crate) const MAX_LINKS: usize = 128;
/// Attributes of a scope or a resource.
pub(crate) const MAX_ORIGIN_ATTRIBUTES: usize = 32;
/// The key of an attribute, in bytes.
pub(crate) const MAX_KEY: usize = 256;
/// The value of an attribute, in bytes: its characters if it is a string, its bytes if it is bytes, else its JSON text.
pub(crate) const MAX_VALUE: usize = 4096;
/// Names, versions, units and schema URLs, in bytes.
pub(crate) const MAX_NAME: usize = 256;
/// The members of a trace state, and their length as a header, in bytes.
pub(crate) const MAX_STATE: (usize, usize) = (32, 512);
/// An encoded span, point or log record, in bytes.
pub(crate) const MAX_MESSAGE: usize = 64 << 10;
/// An encoded scope or resource, in bytes.
pub(crate) const MAX_ORIGIN: usize = 8 << 10;
/// Spans of one call.
pub(crate) const MAX_CALL_SPANS: usize = 1000;
/// Spans per second, and burst.
const SPANS: (f64, f64) = (10_000.0, 20_000.0);
/// Metric points per second, and burst. A guest may export its changes in each call.
const POINTS: (f64, f64) = (10_000.0, 20_000.0);
/// Points in one export.
pub(crate) const MAX_POINTS: usize = 1000;
/// One export, encoded, in bytes.
pub(crate) const MAX_EXPORT: usize = 512 << 10;
/// Buckets of one side of a histogram.
pub(crate) const MAX_BUCKETS: usize = 512;
/// Exemplars of one point.
pub(crate) const MAX_EXEMPLARS: usize = 16;
/// Distinct metric series.
pub(crate) const MAX_SERIES: usize = 2000;
/// Distinct resources.
pub(crate) const MAX_RESOURCES: usize = 8;
/// Time after which an unused key expires.
const EXPIRY: Duration = Duration::from_secs(3600);
/// Minimum interval between sweeps of expired keys.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Limiters shared by all instances of a component.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) spans: RateLimiter,
    pub(crate) points: RateLimiter,
    pub(crate) logs: LogBudget,
    pub(crate) series: CardinalityLimiter,
    pub(crate) resources: CardinalityLimiter,
}

impl Budgets {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            spans: RateLimiter::new(SPANS),
            points: RateLimiter::new(POINTS),
            // The collector reports what is dropped.
            logs: LogBudget::new(limits, |_| {}),
            series: CardinalityLimiter::new(MAX_SERIES),
            resources: CardinalityLimiter::new(MAX_RESOURCES),
        }
    }
}

/// A token bucket: a rate per second, and a burst.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    a_second: f64,
    burst: f64,
    /// The number of tokens, and when it was computed.
    tokens: Mutex<(f64, Instant)>,
}

impl RateLimiter {
    pub(crate) fn new((a_second, burst): (f64, f64)) -> Self {
        Self { a_second, burst, tokens: Mutex::new((burst, Instant::now())) }
    }

    /// Takes `count` tokens, if available.
    pub(crate) fn admit(&self, count: usize) -> bool {
        self.admit_at(count, Instant::now())
    }

    fn admit_at(&self, count: usize, now: Instant) -> bool {
        let count = count as f64;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(tokens.1).as_secs_f64();
        let there = (tokens.0 + elapsed * self.a_second).min(self.burst);
        let enough = there >= count;
        *tokens = (if enough { there - count } else { there }, now.max(tokens.1));
        enough
    }
}

/// Limits the number of distinct keys in use, stored as hashes.
#[derive(Debug)]
pub(crate) struct CardinalityLimiter {
    max: usize,
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    last: HashMap<u64, Instant>,
    swept: Instant,
}

impl CardinalityLimiter {
    fn new(max: usize) -> Self {
        let seen = Seen { last: HashMap::new(), swept: Instant::now() };
        Self { max, hasher: RandomState::new(), seen: Mutex::new(seen) }
    }

    /// Returns true if `thing` is a known key, or there is room for one more.
    pub(crate) fn admit(&self, thing: impl Hash) -> bool {
        self.admit_at(thing, Instant::now())
    }

    fn admit_at(&self, thing: impl Hash, now: Instant) -> bool {
        let hash = self.hasher.hash_one(thing);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = seen.last.get_mut(&hash) {
            *last = now;
            return true;
        }
        if seen.last.len() >= self.max && now.saturating_duration_since(seen.swept) >= SWEEP_INTERVAL {
            seen.swept = now;
            seen.last.retain(|_, last| now.saturating_duration_since(*last) < EXPIRY);
        }
        let place = seen.last.len() < self.max;
        if place {
            seen.last.insert(hash, now);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let rate = RateLimiter::new((10.0, 3.0));
        let start = Instant::now();
        assert_eq!([(); 4].map(|()| rate.admit_at(1, start)), [true, true, true, false]);
        let later = start + Duration::from_millis(101);
        assert_eq!([(); 2].map(|()| rate.admit_at(1, later)), [true, false]);
        // Threads may arrive in another order than that of their timestamps.
        assert!(!rate.admit_at(1, start));
        assert!(!rate.admit_at(1, later));
        let much_later = start + Duration::from_secs(100);
        assert_eq!([2, 2, 1, 1].map(|count| rate.admit_at(count, much_later)), [true, false, true, false]);
    }

    #[test]
    fn a_set_at_its_edge() {
        let set = CardinalityLimiter::new(2);
        let start = Instant::now();
        assert_eq!(["a", "b", "c", "a", "b"].map(|thing| set.admit_at(thing, start)), [true, true, false, true, true]);
    }

    #[test]
    fn expired_keys_make_room() {
        let set = CardinalityLimiter::new(2);
        let start = Instant::now();
        assert!(set.admit_at("old", start) && set.admit_at("new", start + EXPIRY / 2));
        assert!(!set.admit_at("next", start + EXPIRY - Duration::from_secs(1)));
        // The last sweep was a second ago.
        assert!(!set.admit_at("next", start + EXPIRY));
        assert!(set.admit_at("next", start + EXPIRY + SWEEP_INTERVAL));
        assert!(!set.admit_at("old", start + EXPIRY + SWEEP_INTERVAL));
        assert!(set.admit_at("new", start + EXPIRY + SWEEP_INTERVAL));
    }
}
