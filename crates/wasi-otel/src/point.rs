//! Conversion and validation of metric points.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, exemplar, number_data_point,
};

use crate::Dropped;
use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::bindings::wasi::otel::{metrics as wit, types};
use crate::limits::{MAX_ATTRIBUTES, MAX_BUCKETS, MAX_EXEMPLARS, MAX_MESSAGE};
use crate::message_budget::MessageBudget;
use crate::types::{nanos, span_id, trace_id};

/// The start time of a point's series, or 0, and the time of the point, in nanoseconds since 1970.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    start: u64,
    time: u64,
}

impl Times {
    pub(crate) fn new(start: Option<Datetime>, time: Datetime) -> Self {
        let start = start.map_or(0, nanos);
        Self { start, time: nanos(time).max(start) }
    }
}

/// Converts a point of a gauge or a sum.
pub(crate) fn number(
    attributes: Vec<types::KeyValue>,
    value: wit::MetricNumber,
    exemplars: Vec<wit::Exemplar>,
    times: Times,
) -> Result<NumberDataPoint, Dropped> {
    use number_data_point::Value;
    let value = match plain(value).ok_or(Dropped::Invalid)? {
        Plain::Int(value) => Value::AsInt(value),
        Plain::Double(value) => Value::AsDouble(value),
    };
    let mut budget = MessageBudget::new(MAX_MESSAGE);
    Ok(NumberDataPoint {
        attributes: series(&mut budget, attributes)?,
        start_time_unix_nano: times.start,
        time_unix_nano: times.time,
        exemplars: examples(&mut budget, exemplars),
        flags: 0,
        value: Some(value),
    })
}

/// Converts a point of a histogram with explicit bounds.
pub(crate) fn histogram(given: wit::HistogramDataPoint, times: Times) -> Result<HistogramDataPoint, Dropped> {
    let (buckets, bounds) = (given.bucket_counts, given.bounds);
    if buckets.len() > MAX_BUCKETS {
        return Err(Dropped::Size);
    }
    let ascends = bounds.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
    let fits = buckets.len() == bounds.len().saturating_add(1) || (buckets.is_empty() && bounds.is_empty());
    if !fits || !ascends || bounds.iter().any(|bound| bound.is_nan()) {
        return Err(Dropped::Invalid);
    }
    let mut budget = MessageBudget::new(MAX_MESSAGE);
    Ok(HistogramDataPoint {
        attributes: series(&mut budget, given.attributes)?,
        start_time_unix_nano: times.start,
        time_unix_nano: times.time,
        count: given.count,
        sum: double(given.sum),
        bucket_counts: buckets,
        explicit_bounds: bounds,
        exemplars: examples(&mut budget, given.exemplars),
        flags: 0,
        min: given.min.and_then(double),
        max: given.max.and_then(double),
    })
}

/// Converts a point of an exponential histogram.
pub(crate) fn exponential(
    given: wit::ExponentialHistogramDataPoint,
    times: Times,
) -> Result<ExponentialHistogramDataPoint, Dropped> {
    let (positive, negative) = (buckets(given.positive_bucket)?, buckets(given.negative_bucket)?);
    if given.zero_threshold.is_nan() {
        return Err(Dropped::Invalid);
    }
    let mut budget = MessageBudget::new(MAX_MESSAGE);
    Ok(ExponentialHistogramDataPoint {
        attributes: series(&mut budget, given.attributes)?,
        start_time_unix_nano: times.start,
        time_unix_nano: times.time,
        count: given.count,
        sum: double(given.sum),
        scale: given.scale.into(),
        zero_count: given.zero_count,
        positive: Some(positive),
        negative: Some(negative),
        flags: 0,
        exemplars: examples(&mut budget, given.exemplars),
        min: given.min.and_then(double),
        max: given.max.and_then(double),
        zero_threshold: given.zero_threshold,
    })
}

fn buckets(given: wit::ExponentialBucket) -> Result<Buckets, Dropped> {
    let Some(length) = i32::try_from(given.counts.len()).ok().filter(|_| given.counts.len() <= MAX_BUCKETS) else {
        return Err(Dropped::Size);
    };
    // Receivers may compute the index of the last bucket.
    given.offset.checked_add(length).ok_or(Dropped::Invalid)?;
    Ok(Buckets { offset: given.offset, bucket_counts: given.counts })
}

/// Converts the attributes of a series. A point cannot report dropped attributes, and without them it would belong to
/// another series: it is dropped if one is invalid.
fn series(budget: &mut MessageBudget, given: Vec<types::KeyValue>) -> Result<Vec<KeyValue>, Dropped> {
    match budget.attributes(given, MAX_ATTRIBUTES) {
        (attributes, 0) => Ok(attributes),
        _ => Err(Dropped::Size),
    }
}

/// Exemplars are samples already, so dropped ones are not counted.
fn examples(budget: &mut MessageBudget, given: Vec<wit::Exemplar>) -> Vec<Exemplar> {
    given.into_iter().take(MAX_EXEMPLARS).filter_map(|given| example(budget, given)).collect()
}

fn example(budget: &mut MessageBudget, given: wit::Exemplar) -> Option<Exemplar> {
    let value = match plain(given.value)? {
        Plain::Int(value) => exemplar::Value::AsInt(value),
        Plain::Double(value) => exemplar::Value::AsDouble(value),
    };
    let ids = trace_id(&given.trace_id).zip(span_id(&given.span_id));
    let ids = ids.map(|(trace, span)| (trace.to_bytes().to_vec(), span.to_bytes().to_vec()));
    let (trace_id, span_id) = ids.unwrap_or_default();
    // IDs, time, number.
    if !budget.take(48) {
        return None;
    }
    let (filtered_attributes, _) = budget.attributes(given.filtered_attributes, MAX_ATTRIBUTES);
    Some(Exemplar { filtered_attributes, time_unix_nano: nanos(given.time), span_id, trace_id, value: Some(value) })
}

enum Plain {
    Int(i64),
    Double(f64),
}

/// OTLP has signed 64-bit integers only; non-finite numbers cannot be aggregated.
fn plain(given: wit::MetricNumber) -> Option<Plain> {
    match given {
        wit::MetricNumber::F64(value) => (!value.is_nan()).then_some(Plain::Double(value)),
        wit::MetricNumber::S64(value) => Some(Plain::Int(value)),
        wit::MetricNumber::U64(value) => Some(i64::try_from(value).map_or(Plain::Double(value as f64), Plain::Int)),
    }
}

fn double(given: wit::MetricNumber) -> Option<f64> {
    plain(given).map(|number| match number {
        Plain::Int(value) => value as f64,
        Plain::Double(value) => value,
    })
}
