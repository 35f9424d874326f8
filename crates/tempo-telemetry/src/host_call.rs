//! `HostCall`: measures host calls that are too short for a span each.

use std::time::Instant;

use opentelemetry::KeyValue;

use super::metrics::Metrics;
use crate::sink::Telemetry;

/// A running host call. If it is dropped before [`end`](HostCall::end), it is recorded as cancelled.
#[derive(Debug)]
pub struct HostCall<'a> {
    /// `None` if metrics are disabled; then the clock is not read either.
    measured: Option<(&'a Metrics, Instant)>,
    service: &'static str,
    operation: &'static str,
    /// The `error.type` of the call's result.
    error: Option<&'static str>,
}

impl Telemetry {
    /// Starts measuring a call of `operation`. It gets no span.
    pub fn host_call(&self, service: &'static str, operation: &'static str) -> HostCall<'_> {
        let measured = self.metrics().map(|metrics| (metrics, Instant::now()));
        HostCall { measured, service, operation, error: Some("cancelled") }
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
