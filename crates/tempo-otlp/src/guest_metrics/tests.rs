//! Aggregation, forwarding and limits, checked as a collector and as Prometheus.

mod bounds;
mod pages;
mod sums;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, NumberDataPoint, ResourceMetrics, Sum,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::*;
use crate::otlp::request::assemble;

const CUMULATIVE: Option<Temporality> = Some(Temporality::Cumulative);
const DELTA: AggregationTemporality = AggregationTemporality::Delta;

fn guests(sent: Option<Temporality>, limits: Limits) -> GuestMetrics {
    GuestMetrics::with_limits(sent, sent.is_none(), Arc::default(), limits)
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn int(value: i64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    number(number_data_point::Value::AsInt(value), attributes)
}

fn double(value: f64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    number(number_data_point::Value::AsDouble(value), attributes)
}

fn number(value: number_data_point::Value, attributes: &[(&str, &str)]) -> NumberDataPoint {
    let attributes = attributes.iter().map(|(key, value)| text(key, value)).collect();
    NumberDataPoint { attributes, value: Some(value), time_unix_nano: 7, ..NumberDataPoint::default() }
}

fn sum(grows: bool, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: DELTA.into(), is_monotonic: grows })
}

fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

/// A histogram of the `measured` values.
fn histogram(bounds: &[f64], measured: &[f64]) -> Data {
    let mut buckets = vec![0; bounds.len() + 1];
    for value in measured {
        buckets[bounds.iter().take_while(|bound| value > bound).count()] += 1;
    }
    let point = HistogramDataPoint {
        count: measured.len() as u64,
        sum: Some(measured.iter().sum()),
        bucket_counts: buckets,
        explicit_bounds: bounds.to_vec(),
        min: measured.iter().copied().reduce(f64::min),
        max: measured.iter().copied().reduce(f64::max),
        ..HistogramDataPoint::default()
    };
    buckets_of(vec![point])
}

fn buckets_of(data_points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points, aggregation_temporality: DELTA.into() })
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn scoped(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() }
}

/// Aggregates `metric`. Returns false if it was to be forwarded.
fn record(guests: &GuestMetrics, scope: &InstrumentationScope, metric: &Metric) -> bool {
    guests.aggregate(Origin::host(scope), metric)
}

/// Aggregates a metric without a unit, of a scope without a name.
fn record_metric(guests: &GuestMetrics, name: &str, data: Data) {
    assert!(record(guests, &scoped(""), &metric(name, "", data)));
}

fn losses(guests: &GuestMetrics, reason: LossReason) -> u64 {
    guests.losses.count(Signal::Metrics, reason)
}

/// The requests that a collector gets at `now`.
fn requests(guests: &GuestMetrics, now: u64) -> Vec<ResourceMetrics> {
    let buffer = Buffer::new(Signal::Metrics, 1 << 20, Arc::clone(&guests.losses));
    guests.export_at(&buffer, now);
    let mut all = Vec::new();
    while let Some(batch) = buffer.take() {
        let body = assemble(b"", &batch).concat();
        all.extend(ExportMetricsServiceRequest::decode(&*body).unwrap().resource_metrics);
        batch.sent(0);
    }
    all
}

fn exported(guests: &GuestMetrics, now: u64) -> Vec<Metric> {
    requests(guests, now).into_iter().flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics).collect()
}

fn numbers_of(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("no numbers: {other:?}"),
    }
}

/// The value of a metric with one series.
fn only(metrics: &[Metric], name: &str) -> number_data_point::Value {
    let found: Vec<_> = metrics.iter().filter(|metric| metric.name == name).collect();
    let [metric] = found[..] else { panic!("{name}: {found:?}") };
    let [point] = numbers_of(metric) else { panic!("{metric:?}") };
    point.value.unwrap()
}

fn histograms(metrics: &[Metric]) -> Vec<&HistogramDataPoint> {
    let points = metrics.iter().filter_map(|metric| match metric.data.as_ref()? {
        Data::Histogram(histogram) => Some(&histogram.data_points),
        _ => None,
    });
    points.flatten().collect()
}
