//! The instruments of requests, bound to the words that requests are counted by: those of a request are mostly those of the
//! one before, and to look them up anew costs as much as all else that is measured.

use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter};
use tempo_telemetry::Telemetry;

/// The words of a request: method and scheme; status and error, if there is one, of its end.
const KEYS: [&str; 4] = ["http.request.method", "url.scheme", "http.response.status_code", "error.type"];
/// How many combinations are kept. The others are looked up each time.
const MOST: usize = 64;

/// What one serving thread measures of its requests.
pub(crate) struct Measured {
    pub(crate) telemetry: Telemetry,
    active: Bound<2, BoundUpDownCounter<i64>>,
    duration: Bound<4, BoundHistogram<f64>>,
}

impl Measured {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, active: Bound::default(), duration: Bound::default() }
    }

    /// The gauge of the requests with `words` that run, if anybody reads it.
    pub(crate) fn active(&self, words: [&'static str; 2]) -> Option<BoundUpDownCounter<i64>> {
        let metrics = self.telemetry.metrics()?;
        Some(self.active.get(words, |attributes| metrics.http_server_active.bind(attributes)))
    }

    /// Measures a request with `words`, of which those that are empty are none.
    pub(crate) fn took(&self, duration: Duration, words: [&'static str; 4]) {
        let Some(metrics) = self.telemetry.metrics() else { return };
        let histogram = self.duration.get(words, |attributes| metrics.http_server_duration.bind(attributes));
        histogram.record(duration.as_secs_f64());
    }
}

/// An instrument for each combination of words.
struct Bound<const N: usize, I> {
    known: Mutex<Vec<([&'static str; N], I)>>,
}

impl<const N: usize, I> Default for Bound<N, I> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<const N: usize, I: Clone> Bound<N, I> {
    fn get(&self, words: [&'static str; N], bind: impl FnOnce(&[KeyValue]) -> I) -> I {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A word that stands in two places of the program is bound twice, to the same series.
        let same = |(one, other): (&&'static str, &&'static str)| ptr::eq(*one, *other);
        if let Some((_, instrument)) = known.iter().find(|(kept, _)| kept.iter().zip(&words).all(same)) {
            return instrument.clone();
        }
        let pairs = KEYS.iter().zip(words).filter(|(_, word)| !word.is_empty());
        let instrument = bind(&pairs.map(|(key, word)| KeyValue::new(*key, word)).collect::<Vec<_>>());
        if known.len() < MOST {
            known.push((words, instrument.clone()));
        }
        instrument
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_bound_once_and_not_without_end() {
        let bound = Bound::<2, usize>::default();
        assert_eq!(bound.get(["GET", "http"], <[KeyValue]>::len), 2);
        assert_eq!(bound.get(["GET", "http"], |_| panic!("bound again")), 2);
        assert_eq!(bound.get(["GET", ""], <[KeyValue]>::len), 1);
        for count in 0..2 * MOST {
            let word: &'static str = Box::leak(count.to_string().into_boxed_str());
            assert_eq!(bound.get([word, "http"], <[KeyValue]>::len), 2);
        }
        assert_eq!(bound.known.lock().unwrap().len(), MOST);
    }
}
