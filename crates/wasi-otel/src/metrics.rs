//! `wasi:otel/metrics`: exports of points, aggregated by the guest.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Gauge, Histogram, Metric, Sum,
};
use prost::Message;
use tempo_telemetry::Signal;

use crate::bindings::wasi::otel::metrics as wit;
use crate::limits::{MAX_EXPORT, MAX_NAME, MAX_POINTS, MAX_VALUE};
use crate::message_budget::MessageBudget;
use crate::point::{Times, exponential, histogram, number};
use crate::types::scope;
use crate::value::clip;
use crate::{Dropped, Origin, OtelView};

impl wit::Host for OtelView<'_> {
    /// The error names the exceeded limit; invalid points are dropped and counted without an error.
    fn export(&mut self, given: wit::ResourceMetrics) -> Result<(), String> {
        if !self.collector.enabled(Signal::Metrics) {
            return Ok(());
        }
        let all = given.scope_metrics.iter().flat_map(|scope| &scope.metrics).map(|metric| points(&metric.data));
        let all = all.fold(0, usize::saturating_add);
        let (why, error) = if all > MAX_POINTS {
            (Dropped::Count, format!("there may be {MAX_POINTS} points in an export, and there are {all}"))
        } else if !self.budgets.points.admit(all) {
            (Dropped::Rate, "too many points in a short time".to_owned())
        } else {
            return self.record(given);
        };
        self.dropped(why, all);
        Err(error)
    }
}

impl OtelView<'_> {
    fn record(&self, given: wit::ResourceMetrics) -> Result<(), String> {
        let resource = self.resource(given.resource);
        let mut export = Export { view: self, budget: MessageBudget::new(MAX_EXPORT), invalid: 0, large: 0, new: 0 };
        for given in given.scope_metrics {
            if given.metrics.is_empty() {
                continue;
            }
            let (scope, schema_url) = scope(given.scope);
            for metric in given.metrics {
                if let Some(metric) = export.metric(&scope, metric) {
                    let origin = Origin { resource: &resource, scope: &scope, schema_url: &schema_url };
                    self.collector.metric(origin, metric);
                }
            }
        }
        let Export { invalid, large, new, .. } = export;
        self.dropped(Dropped::Invalid, invalid);
        self.dropped(Dropped::Size, large);
        self.dropped(Dropped::Cardinality, new);
        match (large, new) {
            (0, 0) => Ok(()),
            (0, new) => Err(format!("{new} points were dropped: there are too many series")),
            (large, _) => Err(format!("{large} points were dropped: they are too large")),
        }
    }

    fn dropped(&self, why: Dropped, points: usize) {
        if points > 0 {
            self.collector.dropped(Signal::Metrics, why, points.try_into().unwrap_or(u64::MAX));
        }
    }
}

/// The remaining budget of an export, and counts of dropped points.
struct Export<'a> {
    view: &'a OtelView<'a>,
    budget: MessageBudget,
    invalid: usize,
    large: usize,
    new: usize,
}

impl Export<'_> {
    /// Converts an instrument with its accepted points, if any.
    fn metric(&mut self, scope: &InstrumentationScope, given: wit::Metric) -> Option<Metric> {
        let all = points(&given.data);
        // A truncated name would be another metric.
        if given.name.is_empty() || given.name.len() > MAX_NAME {
            self.invalid += all;
            return None;
        }
        let description = clip(given.description, MAX_VALUE);
        let unit = clip(given.unit, MAX_NAME);
        let kept = (self.invalid, self.large, self.new);
        if !self.budget.take(scope.encoded_len() + given.name.len() + description.len() + unit.len()) {
            self.large += all;
            return None;
        }
        let data = self.data((&scope.name, &given.name), given.data);
        let dropped = (self.invalid - kept.0) + (self.large - kept.1) + (self.new - kept.2);
        let metric = Metric { name: given.name, description, unit, metadata: Vec::new(), data: Some(data) };
        (dropped < all).then_some(metric)
    }

    fn data(&mut self, name: (&str, &str), given: wit::MetricData) -> Data {
        use wit::MetricData as D;
        match given {
            D::F64Gauge(given) | D::U64Gauge(given) | D::S64Gauge(given) => {
                let times = Times::new(given.start_time, given.time);
                let points = given.data_points.into_iter();
                let points = points.map(|point| number(point.attributes, point.value, point.exemplars, times));
                Data::Gauge(Gauge { data_points: self.keep(name, points, |point| &point.attributes) })
            }
            D::F64Sum(given) | D::U64Sum(given) | D::S64Sum(given) => {
                let times = Times::new(Some(given.start_time), given.time);
                let points = given.data_points.into_iter();
                let points = points.map(|point| number(point.attributes, point.value, point.exemplars, times));
                Data::Sum(Sum {
                    data_points: self.keep(name, points, |point| &point.attributes),
                    aggregation_temporality: temporality(given.temporality, given.is_monotonic),
                    is_monotonic: given.is_monotonic,
                })
            }
            D::F64Histogram(given) | D::U64Histogram(given) | D::S64Histogram(given) => {
                let times = Times::new(Some(given.start_time), given.time);
                let points = given.data_points.into_iter().map(|point| histogram(point, times));
                Data::Histogram(Histogram {
                    data_points: self.keep(name, points, |point| &point.attributes),
                    aggregation_temporality: temporality(given.temporality, true),
                })
            }
            D::F64ExponentialHistogram(given)
            | D::U64ExponentialHistogram(given)
            | D::S64ExponentialHistogram(given) => {
                let times = Times::new(Some(given.start_time), given.time);
                let points = given.data_points.into_iter().map(|point| exponential(point, times));
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: self.keep(name, points, |point| &point.attributes),
                    aggregation_temporality: temporality(given.temporality, true),
                })
            }
        }
    }

    /// Keeps the points that are valid, within the budget, and in an admitted series.
    fn keep<P: Message>(
        &mut self,
        name: (&str, &str),
        points: impl Iterator<Item = Result<P, Dropped>>,
        attributes: impl Fn(&P) -> &[KeyValue],
    ) -> Vec<P> {
        let mut kept = Vec::new();
        for point in points {
            match point {
                Err(Dropped::Invalid) => self.invalid += 1,
                Ok(point) if self.budget.take(point.encoded_len()) => {
                    if self.view.budgets.series.admit((name, series(attributes(&point)))) {
                        kept.push(point);
                    } else {
                        self.new += 1;
                    }
                }
                _ => self.large += 1,
            }
        }
        kept
    }
}

/// The identity of a series, independent of the order of attributes.
fn series(attributes: &[KeyValue]) -> Vec<Vec<u8>> {
    let mut series: Vec<_> = attributes.iter().map(Message::encode_to_vec).collect();
    series.sort_unstable();
    series
}

fn points(data: &wit::MetricData) -> usize {
    use wit::MetricData as D;
    match data {
        D::F64Gauge(data) | D::U64Gauge(data) | D::S64Gauge(data) => data.data_points.len(),
        D::F64Sum(data) | D::U64Sum(data) | D::S64Sum(data) => data.data_points.len(),
        D::F64Histogram(data) | D::U64Histogram(data) | D::S64Histogram(data) => data.data_points.len(),
        D::F64ExponentialHistogram(data) | D::U64ExponentialHistogram(data) | D::S64ExponentialHistogram(data) => {
            data.data_points.len()
        }
    }
}

/// `low-memory` is a preference: delta for counters and histograms, cumulative for up-down counters.
fn temporality(given: wit::Temporality, grows: bool) -> i32 {
    let temporality = match given {
        wit::Temporality::Delta => AggregationTemporality::Delta,
        wit::Temporality::LowMemory if grows => AggregationTemporality::Delta,
        wit::Temporality::Cumulative | wit::Temporality::LowMemory => AggregationTemporality::Cumulative,
    };
    temporality.into()
}

#[cfg(test)]
mod tests;
