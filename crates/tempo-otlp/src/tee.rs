//! `Tee`: a sink that forwards to several sinks.

use std::sync::Arc;

use tempo_telemetry::{Origin, Record, Signal, Sink};

/// Forwards to each of its sinks.
pub(crate) struct Tee(Vec<Arc<dyn Sink>>);

impl Tee {
    /// Combines `sinks` into one.
    pub(crate) fn of(mut sinks: Vec<Arc<dyn Sink>>) -> Arc<dyn Sink> {
        match (sinks.pop(), sinks.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                sinks.extend(last);
                Arc::new(Self(sinks))
            }
        }
    }
}

impl Sink for Tee {
    fn enabled(&self, signal: Signal) -> bool {
        self.0.iter().any(|sink| sink.enabled(signal))
    }

    fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        for sink in self.0.iter().filter(|sink| sink.enabled(record.signal())) {
            sink.record(origin, record);
        }
    }

    fn reserves(&self, key: &str) -> bool {
        self.0.iter().any(|sink| sink.reserves(key))
    }
}
