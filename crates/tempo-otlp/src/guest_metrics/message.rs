//! Encodes the sums as OTLP messages.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, number_data_point,
};
use prost::Message as _;

use super::identity::{Kind, attributes};
use super::sums::{self, Series};
use super::value::{self, Number, Value};
use crate::otlp::buffer::{Buffer, ScopeKey};

/// Size from which a message is complete, in bytes: many series become several messages, so that a request can be split
/// between them.
const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// Writes all series of `metric` at `time` into `buffer`, as deltas or as totals.
pub(crate) fn write(metric: &sums::Metric, delta: bool, time: u64, buffer: &Buffer) {
    let point = metric.identity.bounds.len().saturating_mul(16).saturating_add(64);
    let (mut part, mut size) = (Vec::new(), 0_usize);
    for (key, series) in &metric.series {
        part.push((&**key, series));
        size = size.saturating_add(key.len()).saturating_add(point);
        if size >= MAX_MESSAGE_BYTES {
            push(metric, delta, time, &part, buffer);
            part.clear();
            size = 0;
        }
    }
    if !part.is_empty() {
        push(metric, delta, time, &part, buffer);
    }
}

fn push(metric: &sums::Metric, delta: bool, time: u64, part: &[(&[u8], &Series)], buffer: &Buffer) {
    let identity = &metric.identity;
    let message = Metric {
        name: identity.name.to_string(),
        description: metric.description.to_string(),
        unit: identity.unit.to_string(),
        metadata: Vec::new(),
        data: Some(data(metric, delta, time, part)),
    };
    let key = ScopeKey { resource: &identity.resource, scope: &identity.scope, schema_url: &identity.schema_url };
    buffer.push(key, &message.encode_to_vec());
}

fn data(metric: &sums::Metric, delta: bool, time: u64, part: &[(&[u8], &Series)]) -> Data {
    let temporality = if delta { AggregationTemporality::Delta } else { AggregationTemporality::Cumulative };
    let aggregation_temporality = temporality.into();
    let numbers = |starts: bool| {
        let numbers = part.iter().filter_map(|(key, series)| match &series.value {
            Value::Number(value) => Some(number(key, if starts { series.start } else { 0 }, time, *value)),
            Value::Histogram(_) => None,
        });
        numbers.collect()
    };
    match metric.identity.kind {
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(false) }),
        kind @ (Kind::Counter | Kind::UpDown) => {
            Data::Sum(Sum { data_points: numbers(true), aggregation_temporality, is_monotonic: kind == Kind::Counter })
        }
        Kind::Histogram => {
            let points = part.iter().filter_map(|(key, series)| match &series.value {
                Value::Histogram(value) => Some(histogram(metric, key, series.start, time, value)),
                Value::Number(_) => None,
            });
            Data::Histogram(Histogram { data_points: points.collect(), aggregation_temporality })
        }
    }
}

fn number(key: &[u8], start: u64, time: u64, value: Number) -> NumberDataPoint {
    let value = match value {
        Number::Int(value) => number_data_point::Value::AsInt(value),
        Number::Double(value) => number_data_point::Value::AsDouble(value),
    };
    NumberDataPoint {
        attributes: attributes(key),
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram(metric: &sums::Metric, key: &[u8], start: u64, time: u64, value: &value::Histogram) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(key),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: value.count,
        sum: Some(value.sum),
        bucket_counts: value.buckets.to_vec(),
        explicit_bounds: metric.identity.bounds().collect(),
        min: value.min,
        max: value.max,
        ..HistogramDataPoint::default()
    }
}
