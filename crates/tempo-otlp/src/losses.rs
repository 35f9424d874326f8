//! What was not delivered: counted by why, told in the log at most once a minute, and as a metric.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use tempo_telemetry::Signal;

/// How often the log says that something was lost.
const EVERY: Duration = Duration::from_secs(60);

/// Why something was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// More came than the collector took.
    QueueFull,
    /// It alone would not fit.
    TooLarge,
    /// It came from one more library or resource than are kept apart.
    TooManySources,
    /// It was of one more metric than a component's sums are kept of.
    TooManySeries,
    /// It says nothing that could be added up.
    Invalid,
    /// The collector did not want it.
    Rejected,
    /// The collector could not be reached, or did not answer, or not in time.
    Unreachable,
    /// The runtime ended first.
    Shutdown,
}

impl Reason {
    const ALL: [(Self, &'static str); 8] = [
        (Self::QueueFull, "queue_full"),
        (Self::TooLarge, "too_large"),
        (Self::TooManySources, "too_many_sources"),
        (Self::TooManySeries, "too_many_series"),
        (Self::Invalid, "invalid"),
        (Self::Rejected, "rejected"),
        (Self::Unreachable, "unreachable"),
        (Self::Shutdown, "shutdown"),
    ];
}

const SIGNALS: [(Signal, &str, &str); 3] = [
    (Signal::Traces, "traces", "spans"),
    (Signal::Metrics, "metrics", "metrics"),
    (Signal::Logs, "logs", "log records"),
];

/// The counts of one process.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    lost: [[AtomicU64; Reason::ALL.len()]; SIGNALS.len()],
    sent: [AtomicU64; SIGNALS.len()],
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    counts: [u64; SIGNALS.len()],
    failure: Option<String>,
}

impl Losses {
    /// Counts what was not delivered.
    pub(crate) fn add(&self, signal: Signal, reason: Reason, count: u64) {
        if let Some(counter) = self.lost.get(signal as usize).and_then(|counters| counters.get(reason as usize)) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts what was delivered.
    pub(crate) fn sent(&self, signal: Signal, count: u64) {
        if let Some(counter) = self.sent.get(signal as usize) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Remembers what went wrong, for the log.
    pub(crate) fn failed(&self, why: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(why);
    }

    /// Says what was lost since it was said last, unless that was less than a minute ago; `at_last`, as there is no later.
    pub(crate) fn tell(&self, at_last: bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !at_last && told.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        let Some(news) = self.news(&mut told) else { return };
        told.last = Some(Instant::now());
        let failure = told.failure.take().map(|failure| format!(": {failure}")).unwrap_or_default();
        drop(told);
        tracing::warn!("telemetry was lost: {news}{failure}");
    }

    /// What is new since then, in words.
    fn news(&self, told: &mut Told) -> Option<String> {
        let mut news = Vec::new();
        for ((lost, told), (_, _, name)) in self.lost.iter().zip(&mut told.counts).zip(SIGNALS) {
            let total: u64 = lost.iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
            let more = total.saturating_sub(*told);
            *told = total;
            if more > 0 {
                news.push(format!("{more} {name}"));
            }
        }
        (!news.is_empty()).then(|| news.join(", "))
    }

    /// Makes the counts metrics of their own.
    pub(crate) fn observe(self: &Arc<Self>, meter: &Meter) {
        let losses = Arc::clone(self);
        let _dropped = meter
            .u64_observable_counter("tempo.telemetry.dropped")
            .with_unit("{item}")
            .with_description("Spans, metrics and log records that were not delivered")
            .with_callback(move |observer| {
                for (lost, (_, signal, _)) in losses.lost.iter().zip(SIGNALS) {
                    for (counter, (_, reason)) in lost.iter().zip(Reason::ALL) {
                        let count = counter.load(Ordering::Relaxed);
                        if count > 0 {
                            observer.observe(count, &attributes(signal, Some(reason)));
                        }
                    }
                }
            })
            .build();
        let losses = Arc::clone(self);
        let _sent = meter
            .u64_observable_counter("tempo.telemetry.sent")
            .with_unit("{item}")
            .with_description("Spans, metrics and log records that the collector took")
            .with_callback(move |observer| {
                for (counter, (_, signal, _)) in losses.sent.iter().zip(SIGNALS) {
                    observer.observe(counter.load(Ordering::Relaxed), &attributes(signal, None));
                }
            })
            .build();
    }

    #[cfg(test)]
    pub(crate) fn count(&self, signal: Signal, reason: Reason) -> u64 {
        self.lost[signal as usize][reason as usize].load(Ordering::Relaxed)
    }
}

fn attributes(signal: &'static str, reason: Option<&'static str>) -> Vec<KeyValue> {
    let reason = reason.map(|reason| KeyValue::new("error.type", reason));
    std::iter::once(KeyValue::new("tempo.signal", signal)).chain(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_the_one_of_its_name() {
        assert!(SIGNALS.iter().enumerate().all(|(place, (signal, ..))| *signal as usize == place));
        assert!(Reason::ALL.iter().enumerate().all(|(place, (reason, _))| *reason as usize == place));
    }

    #[test]
    fn only_news_is_told() {
        let losses = Losses::default();
        let mut told = Told::default();
        assert_eq!(losses.news(&mut told), None);
        losses.add(Signal::Traces, Reason::QueueFull, 3);
        losses.add(Signal::Traces, Reason::Rejected, 1);
        losses.add(Signal::Logs, Reason::Shutdown, 2);
        assert_eq!(losses.news(&mut told).as_deref(), Some("4 spans, 2 log records"));
        assert_eq!(losses.news(&mut told), None);
    }
}
