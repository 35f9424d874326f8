//! How much a component may tell: sizes and counts of one message, and what all its instances share.

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
/// Names, versions, units, addresses of schemas, in bytes.
pub(crate) const MAX_NAME: usize = 256;
/// The members of a trace state, and their length as a header, in bytes.
pub(crate) const MAX_STATE: (usize, usize) = (32, 512);
/// An encoded span, point or log record, in bytes.
pub(crate) const MAX_MESSAGE: usize = 64 << 10;
/// An encoded scope or resource, in bytes.
pub(crate) const MAX_ORIGIN: usize = 8 << 10;
/// Spans of one call.
pub(crate) const MAX_CALL_SPANS: usize = 1000;
/// Spans a second, and at once.
const SPANS: (f64, f64) = (10_000.0, 20_000.0);
/// Points of metrics a second, and at once. There may be an export for each call, with what is new.
const POINTS: (f64, f64) = (10_000.0, 20_000.0);
/// Points in one export.
pub(crate) const MAX_POINTS: usize = 1000;
/// One export, encoded, in bytes.
pub(crate) const MAX_EXPORT: usize = 512 << 10;
/// Buckets of one side of a histogram.
pub(crate) const MAX_BUCKETS: usize = 512;
/// Examples of one point.
pub(crate) const MAX_EXEMPLARS: usize = 16;
/// Different series of points.
pub(crate) const MAX_SERIES: usize = 2000;
/// Different resources.
pub(crate) const MAX_RESOURCES: usize = 8;
/// What has not been told for so long makes place for something else.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// How often is looked for that, at most.
const SWEEP: Duration = Duration::from_secs(60);

/// What all instances of a component share.
#[derive(Debug)]
pub(crate) struct Budgets {
    pub(crate) spans: Rate,
    pub(crate) points: Rate,
    pub(crate) logs: LogBudget,
    pub(crate) series: Distinct,
    pub(crate) resources: Distinct,
}

impl Budgets {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            spans: Rate::new(SPANS),
            points: Rate::new(POINTS),
            logs: LogBudget::new(limits),
            series: Distinct::new(MAX_SERIES),
            resources: Distinct::new(MAX_RESOURCES),
        }
    }
}

/// A token bucket: so many a second, and so many at once.
#[derive(Debug)]
pub(crate) struct Rate {
    a_second: f64,
    burst: f64,
    /// How many tokens there were, and when.
    tokens: Mutex<(f64, Instant)>,
}

impl Rate {
    pub(crate) fn new((a_second, burst): (f64, f64)) -> Self {
        Self { a_second, burst, tokens: Mutex::new((burst, Instant::now())) }
    }

    /// Takes `count` of them, if there are as many.
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

/// A bounded set of things that were told lately, by their hashes.
#[derive(Debug)]
pub(crate) struct Distinct {
    max: usize,
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    last: HashMap<u64, Instant>,
    swept: Instant,
}

impl Distinct {
    fn new(max: usize) -> Self {
        let seen = Seen { last: HashMap::new(), swept: Instant::now() };
        Self { max, hasher: RandomState::new(), seen: Mutex::new(seen) }
    }

    /// Whether `thing` is one of those that are known, or there is place for one more.
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
        if seen.last.len() >= self.max && now.saturating_duration_since(seen.swept) >= SWEEP {
            seen.swept = now;
            seen.last.retain(|_, last| now.saturating_duration_since(*last) < FORGOTTEN);
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
        let rate = Rate::new((10.0, 3.0));
        let start = Instant::now();
        assert_eq!([(); 4].map(|()| rate.admit_at(1, start)), [true, true, true, false]);
        let later = start + Duration::from_millis(101);
        assert_eq!([(); 2].map(|()| rate.admit_at(1, later)), [true, false]);
        // Two threads may come in another order than they looked at the clock.
        assert!(!rate.admit_at(1, start));
        assert!(!rate.admit_at(1, later));
        let much_later = start + Duration::from_secs(100);
        assert_eq!([2, 2, 1, 1].map(|count| rate.admit_at(count, much_later)), [true, false, true, false]);
    }

    #[test]
    fn a_set_at_its_edge() {
        let set = Distinct::new(2);
        let start = Instant::now();
        assert_eq!(["a", "b", "c", "a", "b"].map(|thing| set.admit_at(thing, start)), [true, true, false, true, true]);
    }

    #[test]
    fn what_is_not_told_any_more_makes_place() {
        let set = Distinct::new(2);
        let start = Instant::now();
        assert!(set.admit_at("old", start) && set.admit_at("new", start + FORGOTTEN / 2));
        assert!(!set.admit_at("next", start + FORGOTTEN - Duration::from_secs(1)));
        // It looked a second ago.
        assert!(!set.admit_at("next", start + FORGOTTEN));
        assert!(set.admit_at("next", start + FORGOTTEN + SWEEP));
        assert!(!set.admit_at("old", start + FORGOTTEN + SWEEP));
        assert!(set.admit_at("new", start + FORGOTTEN + SWEEP));
    }
}
