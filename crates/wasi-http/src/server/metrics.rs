//! Instruments of requests, bound to attribute values. Consecutive requests mostly have the same values, and binding
//! anew costs as much as all other measurements.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter, Histogram, UpDownCounter};
use tempo_telemetry::{ComponentMeter, Instruments, Telemetry};

/// Attributes of a request: method and scheme; status and error type, if any, at its end.
const ATTRIBUTE_KEYS: [&str; 4] = ["http.request.method", "url.scheme", "http.response.status_code", "error.type"];
/// Maximum number of cached combinations. Others are bound each time.
const MAX_INSTRUMENTS: usize = 64;

/// The instruments of requests to the component.
struct ServerInstruments {
    duration: Histogram<f64>,
    /// Running requests.
    active: UpDownCounter<i64>,
}

impl Instruments for ServerInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        Self {
            duration: meter.seconds("http.server.request.duration", "Duration of HTTP server requests"),
            active: meter.up_down_counter("http.server.active_requests", "{request}", "Requests that run"),
        }
    }
}

/// Metrics of the requests of one serving thread.
pub(crate) struct RequestMetrics {
    pub(crate) telemetry: Telemetry,
    instruments: Option<Arc<ServerInstruments>>,
    active: InstrumentCache<2, BoundUpDownCounter<i64>>,
    duration: InstrumentCache<4, BoundHistogram<f64>>,
}

impl RequestMetrics {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        let instruments = telemetry.instruments();
        Self { telemetry, instruments, active: InstrumentCache::default(), duration: InstrumentCache::default() }
    }

    /// Returns the gauge of running requests with `values`, or `None` if metrics are off.
    pub(crate) fn active(&self, values: [&'static str; 2]) -> Option<BoundUpDownCounter<i64>> {
        let instruments = self.instruments.as_ref()?;
        let labels = self.telemetry.labels();
        Some(self.active.get(values, |attributes| instruments.active.bind(&[attributes, labels].concat())))
    }

    /// Records the duration of a request with `values`. Empty values are left out.
    pub(crate) fn record(&self, duration: Duration, values: [&'static str; 4]) {
        let Some(instruments) = &self.instruments else { return };
        let labels = self.telemetry.labels();
        let histogram =
            self.duration.get(values, |attributes| instruments.duration.bind(&[attributes, labels].concat()));
        histogram.record(duration.as_secs_f64());
    }
}

/// Caches an instrument for each combination of attribute values.
struct InstrumentCache<const N: usize, I> {
    instruments: Mutex<Vec<([&'static str; N], I)>>,
}

impl<const N: usize, I> Default for InstrumentCache<N, I> {
    fn default() -> Self {
        Self { instruments: Mutex::default() }
    }
}

impl<const N: usize, I: Clone> InstrumentCache<N, I> {
    fn get(&self, values: [&'static str; N], bind: impl FnOnce(&[KeyValue]) -> I) -> I {
        let mut instruments = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        // A value with two static addresses is bound twice, to the same series.
        let same = |(one, other): (&&'static str, &&'static str)| ptr::eq(*one, *other);
        if let Some((_, instrument)) = instruments.iter().find(|(cached, _)| cached.iter().zip(&values).all(same)) {
            return instrument.clone();
        }
        let pairs = ATTRIBUTE_KEYS.iter().zip(values).filter(|(_, value)| !value.is_empty());
        let instrument = bind(&pairs.map(|(key, value)| KeyValue::new(*key, value)).collect::<Vec<_>>());
        if instruments.len() < MAX_INSTRUMENTS {
            instruments.push((values, instrument.clone()));
        }
        instrument
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_once_and_the_cache_is_bounded() {
        let bound = InstrumentCache::<2, usize>::default();
        assert_eq!(bound.get(["GET", "http"], <[KeyValue]>::len), 2);
        assert_eq!(bound.get(["GET", "http"], |_| panic!("bound again")), 2);
        assert_eq!(bound.get(["GET", ""], <[KeyValue]>::len), 1);
        for count in 0..2 * MAX_INSTRUMENTS {
            let value: &'static str = Box::leak(count.to_string().into_boxed_str());
            assert_eq!(bound.get([value, "http"], <[KeyValue]>::len), 2);
        }
        assert_eq!(bound.instruments.lock().unwrap().len(), MAX_INSTRUMENTS);
    }
}
