//! `Sums`: sums by metric and series, bounded for any input.
//!
//! A metric has at most [`Limits::series`] series; further ones go to an overflow series with the attribute
//! `otel.metric.overflow`, as the specification requires of SDKs. Its memory is reserved when the metric is created, so
//! no point of a known metric is dropped. A metric for which there is no memory is dropped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::identity::{Identity, Kind, key};
use super::value::Value;
use crate::ended_series::{Names, is_ended};

/// Upper bound of a metric's size besides its names, in bytes.
const METRIC: usize = 512;
/// Upper bound of a series' size besides its attributes and buckets, in memory and encoded, in bytes.
const SERIES: usize = 200;
/// Size of a bucket, in memory and encoded with its bound, in bytes.
const BUCKET: usize = 16;

/// Limits of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) metrics: usize,
    /// Series per metric.
    pub(crate) series: usize,
    /// Bytes of all metrics.
    pub(crate) bytes: usize,
}

/// As many series as SDKs allow an instrument. The bytes are half of the buffer in which all sums are exported at once.
pub(crate) const LIMITS: Limits = Limits { metrics: 1000, series: 2000, bytes: 512 * 1024 };

static OVERFLOW: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let value = Some(AnyValue { value: Some(Any::BoolValue(true)) });
    key(&[KeyValue { key: "otel.metric.overflow".to_owned(), value, ..KeyValue::default() }]).into()
});

/// All sums.
#[derive(Debug)]
pub(crate) struct Sums {
    places: HashMap<Arc<Identity<'static>>, usize>,
    /// In order of creation.
    pub(crate) metrics: Vec<Metric>,
    held: usize,
    /// The start time of new series, in nanoseconds since 1970.
    pub(crate) since: u64,
}

#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) identity: Arc<Identity<'static>>,
    /// The first description received.
    pub(crate) description: Box<str>,
    /// By attributes, as returned by [`key`].
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

    /// Adds `value` to the series of `attributes`. Returns false if there is no memory for the metric.
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

    /// Removes the series of the `ended` components. Their metrics stay, in their places.
    pub(crate) fn forget(&mut self, ended: &Names) {
        for Metric { identity, series, .. } in &mut self.metrics {
            series.retain(|attributes, _| {
                let live = !is_ended(&super::identity::attributes(attributes), ended);
                if !live {
                    self.held = self.held.saturating_sub(cost(identity, attributes));
                }
                live
            });
        }
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }
}

/// One lifetime for both suffices, as the map is only read.
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
    /// Adds `value` to an existing series.
    fn put(&mut self, attributes: &[u8], value: &Value) -> bool {
        let Some(series) = self.series.get_mut(attributes) else { return false };
        match self.identity.kind {
            // The last in arrival order: guests' clocks are not trusted.
            Kind::Gauge => series.value = value.clone(),
            Kind::Counter | Kind::UpDown | Kind::Histogram => series.value.add(value),
        }
        true
    }
}
