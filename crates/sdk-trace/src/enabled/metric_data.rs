//! Converts metrics from the SDK's types to those of `wasi:otel`.

use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{self, AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};

use super::bindings::metrics::{self, MetricData as Host, MetricNumber};
use super::bindings::types;
use super::log::{pairs, scope, time};

/// Converts all metrics that have data points.
pub(super) fn convert(collected: &ResourceMetrics) -> metrics::ResourceMetrics {
    let scopes = collected.scope_metrics().map(of_scope).filter(|scope| !scope.metrics.is_empty());
    metrics::ResourceMetrics {
        // The host sets the resource.
        resource: types::Resource { attributes: Vec::new(), schema_url: None },
        scope_metrics: scopes.collect(),
    }
}

fn of_scope(collected: &ScopeMetrics) -> metrics::ScopeMetrics {
    let metrics = collected.metrics().filter_map(|metric| {
        Some(metrics::Metric {
            name: metric.name().to_owned(),
            description: metric.description().to_owned(),
            unit: metric.unit().to_owned(),
            data: of_numbers(metric.data())?,
        })
    });
    metrics::ScopeMetrics { metrics: metrics.collect(), scope: scope(collected.scope()) }
}

fn of_numbers(data: &AggregatedMetrics) -> Option<Host> {
    match data {
        AggregatedMetrics::F64(data) => of_kind(data),
        AggregatedMetrics::U64(data) => of_kind(data),
        AggregatedMetrics::I64(data) => of_kind(data),
    }
}

fn of_kind<T: Number>(data: &MetricData<T>) -> Option<Host> {
    match data {
        MetricData::Gauge(data) => data.data_points().next().map(|_| T::GAUGE(gauge(data))),
        MetricData::Sum(data) => data.data_points().next().map(|_| T::SUM(sum(data))),
        MetricData::Histogram(data) => data.data_points().next().map(|_| T::HISTOGRAM(histogram(data))),
        MetricData::ExponentialHistogram(data) => data.data_points().next().map(|_| T::EXPONENTIAL(exponential(data))),
    }
}

fn gauge<T: Number>(data: &data::Gauge<T>) -> metrics::Gauge {
    let points = data.data_points().map(|point| metrics::GaugeDataPoint {
        attributes: pairs(point.attributes()),
        value: point.value().number(),
        exemplars: exemplars(point.exemplars()),
    });
    metrics::Gauge { data_points: points.collect(), start_time: data.start_time().map(time), time: time(data.time()) }
}

fn sum<T: Number>(data: &data::Sum<T>) -> metrics::Sum {
    let points = data.data_points().map(|point| metrics::SumDataPoint {
        attributes: pairs(point.attributes()),
        value: point.value().number(),
        exemplars: exemplars(point.exemplars()),
    });
    metrics::Sum {
        data_points: points.collect(),
        start_time: time(data.start_time()),
        time: time(data.time()),
        temporality: temporality(data.temporality()),
        is_monotonic: data.is_monotonic(),
    }
}

fn histogram<T: Number>(data: &data::Histogram<T>) -> metrics::Histogram {
    let points = data.data_points().map(|point| metrics::HistogramDataPoint {
        attributes: pairs(point.attributes()),
        count: point.count(),
        bounds: point.bounds().collect(),
        bucket_counts: point.bucket_counts().collect(),
        min: point.min().map(Number::number),
        max: point.max().map(Number::number),
        sum: point.sum().number(),
        exemplars: exemplars(point.exemplars()),
    });
    metrics::Histogram {
        data_points: points.collect(),
        start_time: time(data.start_time()),
        time: time(data.time()),
        temporality: temporality(data.temporality()),
    }
}

fn exponential<T: Number>(data: &data::ExponentialHistogram<T>) -> metrics::ExponentialHistogram {
    let points = data.data_points().map(|point| metrics::ExponentialHistogramDataPoint {
        attributes: pairs(point.attributes()),
        count: point.count() as u64,
        min: point.min().map(Number::number),
        max: point.max().map(Number::number),
        sum: point.sum().number(),
        scale: point.scale(),
        zero_count: point.zero_count(),
        positive_bucket: bucket(point.positive_bucket()),
        negative_bucket: bucket(point.negative_bucket()),
        zero_threshold: point.zero_threshold(),
        exemplars: exemplars(point.exemplars()),
    });
    metrics::ExponentialHistogram {
        data_points: points.collect(),
        start_time: time(data.start_time()),
        time: time(data.time()),
        temporality: temporality(data.temporality()),
    }
}

fn bucket(bucket: &data::ExponentialBucket) -> metrics::ExponentialBucket {
    metrics::ExponentialBucket { offset: bucket.offset(), counts: bucket.counts().collect() }
}

fn exemplars<'a, T: Number>(exemplars: impl Iterator<Item = &'a data::Exemplar<T>>) -> Vec<metrics::Exemplar> {
    let exemplar = |exemplar: &data::Exemplar<T>| metrics::Exemplar {
        filtered_attributes: pairs(exemplar.filtered_attributes()),
        time: time(exemplar.time()),
        value: exemplar.value.number(),
        span_id: hex(exemplar.span_id()),
        trace_id: hex(exemplar.trace_id()),
    };
    exemplars.map(exemplar).collect()
}

/// Returns an empty string for an exemplar without a span.
fn hex(id: &[u8]) -> String {
    if id.iter().all(|byte| *byte == 0) { String::new() } else { id.iter().map(|byte| format!("{byte:02x}")).collect() }
}

fn temporality(temporality: Temporality) -> metrics::Temporality {
    match temporality {
        Temporality::Cumulative => metrics::Temporality::Cumulative,
        Temporality::LowMemory => metrics::Temporality::LowMemory,
        // The enum is non-exhaustive; the reader selects delta temporality only.
        _ => metrics::Temporality::Delta,
    }
}

/// The number types of instruments, with the variants of the interface for each.
trait Number: Copy + 'static {
    const GAUGE: fn(metrics::Gauge) -> Host;
    const SUM: fn(metrics::Sum) -> Host;
    const HISTOGRAM: fn(metrics::Histogram) -> Host;
    const EXPONENTIAL: fn(metrics::ExponentialHistogram) -> Host;
    fn number(self) -> MetricNumber;
}

impl Number for f64 {
    const GAUGE: fn(metrics::Gauge) -> Host = Host::F64Gauge;
    const SUM: fn(metrics::Sum) -> Host = Host::F64Sum;
    const HISTOGRAM: fn(metrics::Histogram) -> Host = Host::F64Histogram;
    const EXPONENTIAL: fn(metrics::ExponentialHistogram) -> Host = Host::F64ExponentialHistogram;
    fn number(self) -> MetricNumber {
        MetricNumber::F64(self)
    }
}

impl Number for u64 {
    const GAUGE: fn(metrics::Gauge) -> Host = Host::U64Gauge;
    const SUM: fn(metrics::Sum) -> Host = Host::U64Sum;
    const HISTOGRAM: fn(metrics::Histogram) -> Host = Host::U64Histogram;
    const EXPONENTIAL: fn(metrics::ExponentialHistogram) -> Host = Host::U64ExponentialHistogram;
    fn number(self) -> MetricNumber {
        MetricNumber::U64(self)
    }
}

impl Number for i64 {
    const GAUGE: fn(metrics::Gauge) -> Host = Host::S64Gauge;
    const SUM: fn(metrics::Sum) -> Host = Host::S64Sum;
    const HISTOGRAM: fn(metrics::Histogram) -> Host = Host::S64Histogram;
    const EXPONENTIAL: fn(metrics::ExponentialHistogram) -> Host = Host::S64ExponentialHistogram;
    fn number(self) -> MetricNumber {
        MetricNumber::S64(self)
    }
}
