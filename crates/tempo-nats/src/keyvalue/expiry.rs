//! Lifetimes that a rewritten entry keeps.
//!
//! The server counts a TTL in whole seconds from the time of the message, and a rewritten entry is a new message. So that
//! rewriting neither prolongs nor shortens a lifetime, the new message carries the end of the first in a header, in
//! milliseconds, and its TTL is the rest of it, rounded up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::header::NATS_MESSAGE_TTL;
use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, HeaderValue};

use super::MAX_TTL_SECONDS;

/// Header with the end of a lifetime, in milliseconds since 1970 by the server's clock.
const EXPIRES: &str = "Tempo-Expires";

/// TTL of a message that never expires, even in a stream whose messages do.
const NEVER: &str = "never";

/// The lifetime of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// That of the bucket's messages: endless, unless the bucket has a maximum age.
    Bucket,
    /// Endless, in any bucket.
    Never,
    /// Until a time by the server's clock.
    At(SystemTime),
}

impl Expiry {
    /// Reads the lifetime of a value. `None` if its TTL is malformed, which a server does not accept.
    pub(super) fn of(message: &StreamMessage) -> Option<Self> {
        Self::parse(&message.headers, SystemTime::from(message.time))
    }

    /// Parses the headers of a message that was stored at `stored`.
    fn parse(headers: &HeaderMap, stored: SystemTime) -> Option<Self> {
        let Some(ttl) = headers.get(NATS_MESSAGE_TTL) else { return Some(Self::Bucket) };
        if ttl.as_str() == NEVER {
            return Some(Self::Never);
        }
        let end = stored.checked_add(parse_ttl(ttl.as_str())?)?;
        let carried = headers.get(EXPIRES).and_then(|millis| millis.as_str().parse().ok()).map(Duration::from_millis);
        // Another program may write any number: the server's TTL bounds it.
        let carried = carried.and_then(|millis| UNIX_EPOCH.checked_add(millis)).unwrap_or(end);
        Some(Self::At(carried.min(end)))
    }

    /// Returns whether the lifetime has ended at `now`.
    pub(super) fn has_ended(self, now: SystemTime) -> bool {
        matches!(self, Self::At(end) if end <= now)
    }

    /// Adds the headers of a message with this lifetime that is written at `now`.
    pub(super) fn write(self, now: SystemTime, headers: &mut HeaderMap) {
        match self {
            Self::Bucket => {}
            Self::Never => headers.insert(NATS_MESSAGE_TTL, NEVER),
            Self::At(end) => {
                let rest = end.duration_since(now).unwrap_or_default();
                headers.insert(NATS_MESSAGE_TTL, HeaderValue::from(seconds(rest)));
                let millis = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                headers.insert(EXPIRES, u64::try_from(millis).unwrap_or(u64::MAX).to_string());
            }
        }
    }
}

/// Rounds a TTL up to whole seconds, the server's unit.
pub(super) fn seconds(ttl: Duration) -> u64 {
    let started = u64::from(ttl.subsec_nanos() > 0);
    ttl.as_secs().saturating_add(started).clamp(1, MAX_TTL_SECONDS)
}

/// Parses a TTL: whole seconds, or a duration of Go such as `1h30m`. The server uses its whole seconds.
fn parse_ttl(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at_checked(digits)?;
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, after) = unit.split_at_checked(end)?;
        total += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok().map(|ttl| Duration::from_secs(ttl.as_secs())).filter(|ttl| !ttl.is_zero())
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        pairs.iter().for_each(|(name, value)| headers.insert(*name, *value));
        headers
    }

    #[test]
    fn durations_of_other_clients() {
        let pairs = [("1", 1), ("90", 90), ("1s", 1), ("1m30s", 90), ("1h0m0.9s", 3600), ("1.5h", 5400), ("2500ms", 2)];
        for (text, seconds) in pairs {
            assert_eq!(parse_ttl(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "s", "1x", "-1", "1e9h", "999ms", "1 s", "1..s", "..", "\u{b5}", "1\u{b5}", "1m1"] {
            assert!(parse_ttl(wrong).is_none(), "{wrong:?}");
        }
        assert!(parse_ttl(&format!("{}h", "9".repeat(400))).is_none());
    }

    #[test]
    fn rewriting_keeps_the_end() {
        let mut expiry = Expiry::parse(&headers(&[("Nats-TTL", "10")]), at(5_000)).unwrap();
        assert_eq!(expiry, Expiry::At(at(15_000)));
        // Rewritten many times, at any time.
        for now in (5_100..15_000).step_by(300) {
            let mut rewritten = HeaderMap::new();
            assert!(!expiry.has_ended(at(now)));
            expiry.write(at(now), &mut rewritten);
            expiry = Expiry::parse(&rewritten, at(now)).unwrap();
            assert_eq!(expiry, Expiry::At(at(15_000)), "{now}");
        }
        assert!(!expiry.has_ended(at(14_999)));
        assert!(expiry.has_ended(at(15_000)));
    }

    #[test]
    fn the_ttl_is_the_rest_rounded_up() {
        for (now, ttl) in [(0, "10"), (1, "10"), (999, "10"), (1_000, "9"), (9_000, "1"), (9_999, "1"), (11_000, "1")] {
            let mut rewritten = HeaderMap::new();
            Expiry::At(at(10_000)).write(at(now), &mut rewritten);
            assert_eq!(rewritten.get(NATS_MESSAGE_TTL).map(HeaderValue::as_str), Some(ttl), "{now}");
        }
    }

    #[test]
    fn an_end_of_another_program_is_bounded_by_the_ttl() {
        for (carried, end) in [("4000", 4_000), ("18446744073709551615", 6_000), ("x", 6_000), ("-1", 6_000)] {
            let found = Expiry::parse(&headers(&[("Nats-TTL", "5"), (EXPIRES, carried)]), at(1_000));
            assert_eq!(found, Some(Expiry::At(at(end))), "{carried}");
        }
        assert_eq!(Expiry::parse(&headers(&[(EXPIRES, "1")]), at(0)), Some(Expiry::Bucket));
        assert_eq!(Expiry::parse(&headers(&[("Nats-TTL", "never")]), at(0)), Some(Expiry::Never));
        assert_eq!(Expiry::parse(&headers(&[("Nats-TTL", "soon")]), at(0)), None);
        assert_eq!(Expiry::parse(&headers(&[("Nats-TTL", "18446744073709551615")]), at(0)), None);
    }
}
