//! Outcomes of export attempts, and the backoff between them.

use std::time::{Duration, SystemTime};

/// The first backoff; it doubles with each attempt.
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);
/// Maximum backoff that Tempo chooses.
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// Maximum delay that a collector may request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Maximum length of a collector's message, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// The outcome of an export attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ExportOutcome {
    /// The collector accepted all but `rejected` items, with an optional message.
    Accepted { rejected: u64, message: String },
    /// The request may be retried, after a delay if the collector requested one.
    Retryable { why: String, after: Option<Duration> },
    /// The request must not be retried.
    Rejected { why: String },
}

impl ExportOutcome {
    /// Creates the outcome of an attempt without a response.
    pub(crate) fn no_response(why: impl Into<String>) -> Self {
        Self::Retryable { why: why.into(), after: None }
    }
}

/// The backoff between the attempts of one request.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: INITIAL_BACKOFF }
    }

    /// Returns the next delay, with jitter, so that runtimes do not retry in lockstep. It is at least `retry_after`, up
    /// to [`MAX_RETRY_AFTER`].
    pub(crate) fn wait(&mut self, retry_after: Option<Duration>) -> Duration {
        let own = self.next.mul_f64(0.75 + 0.5 * fastrand::f64());
        self.next = self.next.saturating_mul(2).min(MAX_BACKOFF);
        retry_after.map_or(own, |retry_after| retry_after.min(MAX_RETRY_AFTER).max(own))
    }
}

/// Parses a `Retry-After` value: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Sanitizes a collector's text for the log: truncated, without control characters.
pub(crate) fn sanitized(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_heed_the_collector() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..10).map(|_| backoff.wait(None)).collect();
        assert!(waits[0] <= INITIAL_BACKOFF.mul_f64(1.25) && waits[9] >= MAX_BACKOFF.mul_f64(0.75));
        assert!(waits.iter().all(|wait| *wait <= MAX_BACKOFF.mul_f64(1.25)));
        assert_eq!(backoff.wait(Some(Duration::from_secs(20))), Duration::from_secs(20));
        assert_eq!(backoff.wait(Some(Duration::MAX)), MAX_RETRY_AFTER);
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
        assert_eq!(sanitized("a\u{1b}[2Jb\n"), "a [2Jb ");
        assert_eq!(sanitized(&"é".repeat(1000)).chars().count(), MAX_TEXT_CHARS);
    }
}
