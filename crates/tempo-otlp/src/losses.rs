//! `Losses`: counts dropped telemetry by reason, logs it at most once a minute, and exposes it as a metric.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use tempo_telemetry::Signal;

/// Minimum interval between log messages.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Why an item was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossReason {
    /// The buffer was full.
    QueueFull,
    /// The item exceeds the buffer's capacity.
    TooLarge,
    /// The buffer has the maximum number of resources and scopes.
    TooManySources,
    /// The sums have the maximum number of metrics.
    TooManySeries,
    /// The data point is invalid.
    Invalid,
    /// The collector rejected it.
    Rejected,
    /// The collector was unreachable, or did not answer in time.
    Unreachable,
    /// The runtime ended first.
    Shutdown,
}

impl LossReason {
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

/// The counters of one process.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    dropped: [[AtomicU64; LossReason::ALL.len()]; SIGNALS.len()],
    sent: [AtomicU64; SIGNALS.len()],
    log_state: Mutex<LoggingCtx>,
}

#[derive(Debug, Default)]
struct LoggingCtx {
    last: Option<Instant>,
    counts: [u64; SIGNALS.len()],
    failure: Option<String>,
}

impl Losses {
    /// Counts dropped items.
    pub(crate) fn add(&self, signal: Signal, reason: LossReason, count: u64) {
        if let Some(counter) = self.dropped.get(signal as usize).and_then(|counters| counters.get(reason as usize)) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts delivered items.
    pub(crate) fn sent(&self, signal: Signal, count: u64) {
        if let Some(counter) = self.sent.get(signal as usize) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Stores the last failure for the next log message.
    pub(crate) fn failed(&self, why: String) {
        self.log_state.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(why);
    }

    /// Logs the items dropped since the last message, at most once a minute unless `at_last` is true.
    pub(crate) fn log(&self, at_last: bool) {
        let mut log_state = self.log_state.lock().unwrap_or_else(PoisonError::into_inner);
        if !at_last && log_state.last.is_some_and(|last| last.elapsed() < LOG_INTERVAL) {
            return;
        }
        let Some(summary) = self.summary(&mut log_state) else { return };
        log_state.last = Some(Instant::now());
        let failure = log_state.failure.take().map(|failure| format!(": {failure}")).unwrap_or_default();
        drop(log_state);
        tracing::warn!("telemetry was dropped: {summary}{failure}");
    }

    /// Summarizes the items dropped since the last call.
    fn summary(&self, log_state: &mut LoggingCtx) -> Option<String> {
        let mut summary = Vec::new();
        for ((dropped, log_state), (_, _, name)) in self.dropped.iter().zip(&mut log_state.counts).zip(SIGNALS) {
            let total: u64 = dropped.iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
            let more = total.saturating_sub(*log_state);
            *log_state = total;
            if more > 0 {
                summary.push(format!("{more} {name}"));
            }
        }
        (!summary.is_empty()).then(|| summary.join(", "))
    }

    /// Exposes the counters as metrics.
    pub(crate) fn observe(self: &Arc<Self>, meter: &Meter) {
        let losses = Arc::clone(self);
        let _dropped = meter
            .u64_observable_counter("tempo.telemetry.dropped")
            .with_unit("{item}")
            .with_description("Spans, metrics and log records that were not delivered")
            .with_callback(move |observer| {
                for (dropped, (_, signal, _)) in losses.dropped.iter().zip(SIGNALS) {
                    for (counter, (_, reason)) in dropped.iter().zip(LossReason::ALL) {
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
    pub(crate) fn count(&self, signal: Signal, reason: LossReason) -> u64 {
        self.dropped[signal as usize][reason as usize].load(Ordering::Relaxed)
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
    fn indices_match_discriminants() {
        assert!(SIGNALS.iter().enumerate().all(|(place, (signal, ..))| *signal as usize == place));
        assert!(LossReason::ALL.iter().enumerate().all(|(place, (reason, _))| *reason as usize == place));
    }

    #[test]
    fn a_summary_covers_new_losses_only() {
        let losses = Losses::default();
        let mut log_state = LoggingCtx::default();
        assert_eq!(losses.summary(&mut log_state), None);
        losses.add(Signal::Traces, LossReason::QueueFull, 3);
        losses.add(Signal::Traces, LossReason::Rejected, 1);
        losses.add(Signal::Logs, LossReason::Shutdown, 2);
        assert_eq!(losses.summary(&mut log_state).as_deref(), Some("4 spans, 2 log records"));
        assert_eq!(losses.summary(&mut log_state), None);
    }
}
