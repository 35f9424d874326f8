//! The sums by metric and series, bounded whatever guests call things.
//!
//! A metric has [`Limits::series`] series; what belongs to another one goes to one more, with the attribute
//! `otel.metric.overflow`, as the specification has it for SDKs. That one has its room from the metric's beginning, so
//! nothing of a metric that is known is ever refused. A metric for which there is no room is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::identity::{Identity, Kind, key};
use super::value::Value;

/// What a metric takes besides its names, generously.
const METRIC: usize = 512;
/// What a series takes besides its attributes and buckets, generously, and at least what it takes when it is sent.
const SERIES: usize = 200;
/// What a bucket takes, here and when it is sent with its bound.
const BUCKET: usize = 16;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) metrics: usize,
    /// Of one metric.
    pub(crate) series: usize,
    /// Of all together.
    pub(crate) bytes: usize,
}

/// As many series as SDKs allow an instrument. In bytes it is half of the buffer in which all of it is sent at once.
pub(crate) const LIMITS: Limits = Limits { metrics: 1000, series: 2000, bytes: 512 * 1024 };

static OVERFLOW: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let value = Some(AnyValue { value: Some(Any::BoolValue(true)) });
    key(&[KeyValue { key: "otel.metric.overflow".to_owned(), value, ..KeyValue::default() }]).into()
});

/// All that is summed.
#[derive(Debug)]
pub(crate) struct Sums {
    places: HashMap<Arc<Identity<'static>>, usize>,
    /// In the order in which they came.
    pub(crate) metrics: Vec<Metric>,
    held: usize,
    /// Until when no series that comes now had anything, in nanoseconds since 1970.
    pub(crate) since: u64,
}

#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) identity: Arc<Identity<'static>>,
    /// The first that was told.
    pub(crate) description: Box<str>,
    /// By their attributes, as [`key`] makes them.
    pub(crate) series: BTreeMap<Box<[u8]>, Series>,
}

#[derive(Debug)]
pub(crate) struct Series {
    /// In nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) value: Value,
}

impl Sums {
    pub(crate) fn new(since: u64) -> Self {
        Self { places: HashMap::new(), metrics: Vec::new(), held: 0, since }
    }

    /// Adds `value` to the series of `attributes`, or is false if there is no room for the metric.
    pub(crate) fn add(
        &mut self,
        limits: &Limits,
        identity: &Identity<'_>,
        description: &str,
        attributes: &[u8],
        value: &Value,
    ) -> bool {
        let place = find(&self.places, identity).or_else(|| self.create(limits, identity, description));
        let Some(metric) = place.and_then(|place| self.metrics.get_mut(place)) else { return false };
        if metric.put(attributes, value) {
            return true;
        }
        let held = self.held.saturating_add(cost(identity, attributes));
        let attributes = if metric.series.len() < limits.series && held <= limits.bytes {
            self.held = held;
            attributes
        } else {
            &**OVERFLOW
        };
        if !metric.put(attributes, value) {
            metric.series.insert(attributes.into(), Series { start: self.since, value: value.clone() });
        }
        true
    }

    fn create(&mut self, limits: &Limits, identity: &Identity<'_>, description: &str) -> Option<usize> {
        let cost = METRIC.saturating_add(identity.len()).saturating_add(description.len());
        let cost = cost.saturating_add(cost_of_overflow(identity));
        let held = self.held.saturating_add(cost);
        if self.metrics.len() >= limits.metrics || held > limits.bytes {
            return None;
        }
        self.held = held;
        let (place, identity) = (self.metrics.len(), Arc::new(identity.to_static()));
        self.places.insert(Arc::clone(&identity), place);
        self.metrics.push(Metric { identity, description: description.into(), series: BTreeMap::new() });
        Some(place)
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }
}

/// One lifetime for both, which the map allows as it is only read.
fn find<'a>(places: &HashMap<Arc<Identity<'a>>, usize>, identity: &Identity<'a>) -> Option<usize> {
    places.get(identity).copied()
}

fn cost(identity: &Identity<'_>, attributes: &[u8]) -> usize {
    let buckets = if identity.kind == Kind::Histogram { identity.bounds.len().saturating_add(1) } else { 0 };
    SERIES.saturating_add(attributes.len()).saturating_add(buckets.saturating_mul(BUCKET))
}

fn cost_of_overflow(identity: &Identity<'_>) -> usize {
    cost(identity, &OVERFLOW)
}

impl Metric {
    /// Adds `value` to a series that is there.
    fn put(&mut self, attributes: &[u8], value: &Value) -> bool {
        let Some(series) = self.series.get_mut(attributes) else { return false };
        match self.identity.kind {
            // The last in the order in which they came: guests' clocks say nothing.
            Kind::Gauge => series.value = value.clone(),
            Kind::Counter | Kind::UpDown | Kind::Histogram => series.value.add(value),
        }
        true
    }
}
