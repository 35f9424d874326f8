//! Parses the aggregable part of a guest's metric: its kind, and its valid points.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, number_data_point,
};

use super::identity::{Kind, key};
use super::value::{Histogram, Number, Value};

/// The flag of a point without a value.
const NOTHING: u32 = 1;

/// An aggregable metric.
#[derive(Debug)]
pub(crate) struct ParsedMetric {
    pub(crate) kind: Kind,
    pub(crate) points: Vec<Point>,
    /// Number of invalid points.
    pub(crate) invalid: u64,
}

#[derive(Debug)]
pub(crate) struct Point {
    /// As in `Identity`.
    pub(crate) bounds: Vec<u64>,
    /// As returned by [`key`].
    pub(crate) attributes: Vec<u8>,
    pub(crate) value: Value,
}

/// Parses `metric`. Returns `None` if its kind is not aggregable. Timestamps are ignored: guests' clocks are not
/// trusted.
pub(crate) fn parse(metric: &Metric) -> Option<ParsedMetric> {
    const DELTA: i32 = AggregationTemporality::Delta as i32;
    let (kind, points): (_, Vec<_>) = match metric.data.as_ref()? {
        Data::Gauge(gauge) => (Kind::Gauge, numbers(Kind::Gauge, &gauge.data_points)),
        Data::Sum(sum) if sum.aggregation_temporality == DELTA => {
            let kind = if sum.is_monotonic { Kind::Counter } else { Kind::UpDown };
            (kind, numbers(kind, &sum.data_points))
        }
        Data::Histogram(histogram) if histogram.aggregation_temporality == DELTA => {
            let points = histogram.data_points.iter().filter(|point| point.flags & NOTHING == 0);
            (Kind::Histogram, points.map(self::histogram).collect())
        }
        _ => return None,
    };
    let all = points.len();
    let named = !metric.name.is_empty();
    let points: Vec<_> = points.into_iter().flatten().filter(|_| named).collect();
    let invalid = all.saturating_sub(points.len()).try_into().unwrap_or(u64::MAX);
    Some(ParsedMetric { kind, points, invalid })
}

fn numbers(kind: Kind, points: &[NumberDataPoint]) -> Vec<Option<Point>> {
    points.iter().filter(|point| point.flags & NOTHING == 0).map(|point| number(kind, point)).collect()
}

/// Returns `None` for non-finite numbers and negative increments of counters, which would corrupt the sum.
fn number(kind: Kind, point: &NumberDataPoint) -> Option<Point> {
    let number = match point.value? {
        number_data_point::Value::AsInt(value) => Number::Int(value),
        number_data_point::Value::AsDouble(value) => Number::Double(value),
    };
    let value = number.to_f64();
    let valid = value.is_finite() && (kind != Kind::Counter || value >= 0.0);
    let value = Value::Number(number);
    valid.then(|| Point { bounds: Vec::new(), attributes: key(&point.attributes), value })
}

/// Likewise, and for buckets that do not match the count.
fn histogram(point: &HistogramDataPoint) -> Option<Point> {
    let bounds = &point.explicit_bounds;
    let ascends = bounds.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
    if !ascends || bounds.iter().any(|bound| bound.is_nan()) {
        return None;
    }
    // Without bounds, all values are in the one bucket.
    let buckets = match (point.bucket_counts.as_slice(), bounds.len()) {
        ([], 0) => vec![point.count],
        (buckets, bounds) if buckets.len() == bounds.saturating_add(1) => buckets.to_vec(),
        _ => return None,
    };
    let counted = buckets.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))?;
    let sum = point.sum.filter(|sum| sum.is_finite() && counted == point.count)?;
    let finite = |value: &f64| value.is_finite();
    let (min, max) = (point.min.filter(finite), point.max.filter(finite));
    let value = Value::Histogram(Histogram { count: point.count, sum, buckets: buckets.into(), min, max });
    let bounds = bounds.iter().map(|bound| bound.to_bits()).collect();
    Some(Point { bounds, attributes: key(&point.attributes), value })
}
