//! What became of an attempt to send, and how long to wait before the next.

use std::time::{Duration, SystemTime};

/// The first wait; each one after is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest wait that a collector may ask for.
const MAX_ASKED: Duration = Duration::from_secs(60);
/// What is kept of a text that a collector sends.
const MAX_TEXT: usize = 200;

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken, but for so many, and perhaps with a word about it.
    Taken { rejected: u64, message: String },
    /// Later it may be taken: after a while, if the collector said so.
    Later { why: String, after: Option<Duration> },
    /// It will never be taken.
    Refused { why: String },
}

impl Outcome {
    /// An attempt that did not get as far as an answer.
    pub(crate) fn unanswered(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }
}

/// The waits between the attempts for one request.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait now. A little more or less than elsewhere, so that not all runtimes come back at once; never less
    /// than was `asked`, but for what nobody may ask.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let own = self.next.mul_f64(0.75 + 0.5 * fastrand::f64());
        self.next = self.next.saturating_mul(2).min(LONGEST);
        asked.map_or(own, |asked| asked.min(MAX_ASKED).max(own))
    }
}

/// The value of a `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What can be shown of a text that a collector sent: not long, and without what moves a terminal's cursor.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_heed_the_collector() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..10).map(|_| backoff.wait(None)).collect();
        assert!(waits[0] <= FIRST.mul_f64(1.25) && waits[9] >= LONGEST.mul_f64(0.75));
        assert!(waits.iter().all(|wait| *wait <= LONGEST.mul_f64(1.25)));
        assert_eq!(backoff.wait(Some(Duration::from_secs(20))), Duration::from_secs(20));
        assert_eq!(backoff.wait(Some(Duration::MAX)), MAX_ASKED);
        assert!(backoff.wait(Some(Duration::ZERO)) > Duration::from_secs(1));
    }

    #[test]
    fn both_forms_of_retry_after() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767);
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:17 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[test]
    fn a_collectors_text_is_clipped_and_harmless() {
        assert_eq!(shown("a\u{1b}[2Jb\n"), "a [2Jb ");
        assert_eq!(shown(&"é".repeat(1000)).chars().count(), MAX_TEXT);
    }
}
