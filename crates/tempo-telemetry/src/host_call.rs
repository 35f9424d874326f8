//! `HostCalls`: measures host calls that are too short for a span each.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;

use crate::instruments::{ComponentMeter, Instruments};
use crate::telemetry::Telemetry;

/// Measures the host calls of one service. They get no span.
#[derive(Clone, Debug)]
pub struct HostCalls {
    /// `None` if metrics are disabled; then the clock is not read either.
    durations: Option<Arc<HostCallDurations>>,
    service: &'static str,
}

#[derive(Debug)]
struct HostCallDurations {
    durations: Histogram<f64>,
    /// Names the component of an app.
    labels: Vec<KeyValue>,
}

impl Instruments for HostCallDurations {
    fn register(meter: &ComponentMeter) -> Self {
        let description = "Duration of calls of configuration, logging and telemetry";
        let durations = meter.short_seconds("tempo.host.call.duration", description);
        Self { durations, labels: meter.labels().to_vec() }
    }
}

/// A running host call. If it is dropped before [`end`](HostCall::end), it is recorded as cancelled.
#[derive(Debug)]
pub struct HostCall<'a> {
    calls: &'a HostCalls,
    operation: &'static str,
    begun: Option<Instant>,
    /// The `error.type` of the call's result.
    error: Option<&'static str>,
}

impl HostCalls {
    /// Measures the calls of `service`.
    pub fn new(telemetry: &Telemetry, service: &'static str) -> Self {
        Self { durations: telemetry.instruments(), service }
    }

    /// Starts measuring a call of `operation`.
    pub fn begin(&self, operation: &'static str) -> HostCall<'_> {
        let begun = self.durations.as_ref().map(|_| Instant::now());
        HostCall { calls: self, operation, begun, error: Some("cancelled") }
    }
}

impl HostCall<'_> {
    /// Ends the call. `error` is a low-cardinality `error.type`, `None` on success.
    pub fn end(mut self, error: Option<&'static str>) {
        self.error = error;
    }
}

impl Drop for HostCall<'_> {
    fn drop(&mut self) {
        let (Some(HostCallDurations { durations, labels }), Some(begun)) =
            (self.calls.durations.as_deref(), self.begun)
        else {
            return;
        };
        let seconds = begun.elapsed().as_secs_f64();
        let service = KeyValue::new("tempo.service", self.calls.service);
        let operation = KeyValue::new("tempo.operation", self.operation);
        match self.error {
            _ if !labels.is_empty() => {
                let error = self.error.map(|error| KeyValue::new("error.type", error));
                let attributes: Vec<_> = labels.iter().cloned().chain([service, operation]).chain(error).collect();
                durations.record(seconds, &attributes);
            }
            None => durations.record(seconds, &[service, operation]),
            Some(error) => durations.record(seconds, &[service, operation, KeyValue::new("error.type", error)]),
        }
    }
}
