//! Counts reloads.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use tempo_telemetry::{ComponentMeter, Instruments, Telemetry};

struct ReloadInstruments {
    reloads: Counter<u64>,
}

impl Instruments for ReloadInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        let description = "Reloads of the settings and the components, by outcome";
        Self { reloads: meter.counter("tempo.reloads", "{reload}", description) }
    }
}

/// Counts a reload, if metrics are enabled.
pub(crate) fn count_reload(telemetry: &Telemetry, succeeded: bool) {
    if let Some(instruments) = telemetry.instruments::<ReloadInstruments>() {
        let outcome = if succeeded { "succeeded" } else { "failed" };
        instruments.reloads.add(1, &[KeyValue::new("tempo.outcome", outcome)]);
    }
}
