//! Calls of services that are too short for a span each: how long they took.

use std::time::Instant;

use opentelemetry::KeyValue;

use super::metrics::Metrics;
use crate::sink::Telemetry;

/// A call that is under way. Dropped before its [`end`](HostCall::end), it was given up.
#[derive(Debug)]
pub struct HostCall<'a> {
    /// Nothing where nobody reads the metrics; then nobody reads the clock either.
    measured: Option<(&'a Metrics, Instant)>,
    service: &'static str,
    operation: &'static str,
    /// The `error.type` that it ends with.
    error: Option<&'static str>,
}

impl Telemetry {
    /// Begins a call of `operation` of a service whose calls are too short for a span.
    pub fn host_call(&self, service: &'static str, operation: &'static str) -> HostCall<'_> {
        let measured = self.metrics().map(|metrics| (metrics, Instant::now()));
        HostCall { measured, service, operation, error: Some("cancelled") }
    }
}

impl HostCall<'_> {
    /// Ends the call: well, or with an `error.type`, a word of a small set.
    pub fn end(mut self, error: Option<&'static str>) {
        self.error = error;
    }
}

impl Drop for HostCall<'_> {
    fn drop(&mut self) {
        let Some((metrics, begun)) = self.measured else { return };
        let seconds = begun.elapsed().as_secs_f64();
        let service = KeyValue::new("tempo.service", self.service);
        let operation = KeyValue::new("tempo.operation", self.operation);
        match self.error {
            None => metrics.host_call_duration.record(seconds, &[service, operation]),
            Some(error) => {
                let error = KeyValue::new("error.type", error);
                metrics.host_call_duration.record(seconds, &[service, operation, error]);
            }
        }
    }
}
