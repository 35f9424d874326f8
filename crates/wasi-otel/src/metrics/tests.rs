//! Exports at their limits, and hostile numbers.

use std::sync::Arc;

use tempo_core::Limits;

use super::wit::{Host as _, MetricData as D, MetricNumber as N};
use super::*;
use crate::OtelCtx;
use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::bindings::wasi::otel::types;
use crate::conformance::{Arrived, Recorder};
use crate::limits::{Budgets, MAX_ATTRIBUTES, MAX_BUCKETS, MAX_EXEMPLARS, MAX_RESOURCES, MAX_SERIES, RateLimiter};

const TIME: Datetime = Datetime { seconds: 1, nanoseconds: 0 };

fn state() -> (OtelCtx, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    (OtelCtx::new(recorder.clone(), &Limits::default()), recorder)
}

fn attribute(key: &str, value: impl Into<serde_json::Value>) -> types::KeyValue {
    types::KeyValue { key: key.to_owned(), value: value.into().to_string() }
}

fn export(name: &str, data: impl IntoIterator<Item = D>) -> wit::ResourceMetrics {
    let metric = |data| wit::Metric { name: name.to_owned(), description: String::new(), unit: String::new(), data };
    let scope =
        types::InstrumentationScope { name: String::new(), version: None, schema_url: None, attributes: vec![] };
    let scope_metrics = vec![wit::ScopeMetrics { scope, metrics: data.into_iter().map(metric).collect() }];
    wit::ResourceMetrics { resource: types::Resource { attributes: Vec::new(), schema_url: None }, scope_metrics }
}

fn point(value: N) -> wit::GaugeDataPoint {
    wit::GaugeDataPoint { attributes: Vec::new(), value, exemplars: Vec::new() }
}

fn gauge(data_points: Vec<wit::GaugeDataPoint>) -> D {
    D::F64Gauge(wit::Gauge { data_points, start_time: None, time: TIME })
}

fn bucket() -> wit::ExponentialBucket {
    wit::ExponentialBucket { offset: 0, counts: vec![1] }
}

fn histogram(bounds: Vec<f64>, bucket_counts: Vec<u64>) -> D {
    let point = wit::HistogramDataPoint {
        attributes: Vec::new(),
        count: 1,
        bounds,
        bucket_counts,
        min: Some(N::F64(f64::NAN)),
        max: Some(N::U64(3)),
        sum: N::F64(f64::NAN),
        exemplars: Vec::new(),
    };
    let temporality = wit::Temporality::LowMemory;
    D::F64Histogram(wit::Histogram { data_points: vec![point], start_time: TIME, time: TIME, temporality })
}

fn exponential(positive_bucket: wit::ExponentialBucket, zero_threshold: f64) -> D {
    let point = wit::ExponentialHistogramDataPoint {
        attributes: Vec::new(),
        count: 1,
        min: None,
        max: None,
        sum: N::F64(1.0),
        scale: i8::MIN,
        zero_count: 0,
        positive_bucket,
        negative_bucket: bucket(),
        zero_threshold,
        exemplars: Vec::new(),
    };
    let temporality = wit::Temporality::LowMemory;
    D::F64ExponentialHistogram(wit::ExponentialHistogram {
        data_points: vec![point],
        start_time: TIME,
        time: TIME,
        temporality,
    })
}

/// Returns the number of received points, and the dropped ones by reason.
fn received(state: &OtelCtx, recorder: &Recorder, given: wit::ResourceMetrics) -> (bool, usize, Vec<(Dropped, u64)>) {
    let ok = state.view().export(given).is_ok();
    let Arrived { metrics, dropped, .. } = recorder.take();
    let points = metrics.iter().map(|received| match received.message.data.as_ref().unwrap() {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
        Data::Summary(summary) => summary.data_points.len(),
    });
    (ok, points.sum(), dropped.into_iter().map(|(_, why, count)| (why, count)).collect())
}

fn alone(data: D) -> (bool, usize, Vec<(Dropped, u64)>) {
    let (state, recorder) = state();
    received(&state, &recorder, export("m", [data]))
}

#[test]
fn points_at_the_edge() {
    let half = || gauge(vec![point(N::U64(1)); MAX_POINTS / 2]);
    for (more, expected) in [
        (MAX_POINTS / 2 - 1, (true, MAX_POINTS - 1, vec![])),
        (MAX_POINTS / 2, (true, MAX_POINTS, vec![])),
        (MAX_POINTS / 2 + 1, (false, 0, vec![(Dropped::Count, MAX_POINTS as u64 + 1)])),
    ] {
        let (state, recorder) = state();
        let given = export("m", [half(), gauge(vec![point(N::U64(1)); more])]);
        assert_eq!(received(&state, &recorder, given), expected);
    }
}

#[test]
fn series_at_the_edge() {
    let (state, recorder) = state();
    let of = |series: std::ops::Range<usize>| {
        let point =
            |n| wit::GaugeDataPoint { attributes: vec![attribute("n", n), attribute("o", 1)], ..point(N::U64(1)) };
        export("m", [gauge(series.map(point).collect())])
    };
    assert_eq!(received(&state, &recorder, of(0..1000)), (true, 1000, vec![]));
    assert_eq!(received(&state, &recorder, of(1000..MAX_SERIES)), (true, 1000, vec![]));
    let one_too_many = of(MAX_SERIES - 1..MAX_SERIES + 1);
    assert_eq!(received(&state, &recorder, one_too_many), (false, 1, vec![(Dropped::Cardinality, 1)]));
    // The same series, with its attributes in another order.
    let other = wit::GaugeDataPoint { attributes: vec![attribute("o", 1), attribute("n", 0)], ..point(N::U64(1)) };
    assert_eq!(received(&state, &recorder, export("m", [gauge(vec![other])])), (true, 1, vec![]));
}

#[test]
fn exports_at_the_edge() {
    let recorder = Arc::new(Recorder::default());
    let budgets = Budgets { points: RateLimiter::new((0.0, 6.0)), ..Budgets::new(&Limits::default()) };
    let state = OtelCtx { collector: recorder.clone(), budgets: Arc::new(budgets) };
    let again = || received(&state, &recorder, export("m", [gauge(vec![point(N::U64(1)); 3])]));
    assert_eq!([again(), again()], [(true, 3, vec![]), (true, 3, vec![])]);
    assert_eq!(again(), (false, 0, vec![(Dropped::Rate, 3)]));
}

#[test]
fn attributes_of_a_point_at_the_edge() {
    let of = |count: usize| {
        let attributes = (0..count).map(|n| attribute(&format!("k{n}"), 1)).collect();
        alone(gauge(vec![wit::GaugeDataPoint { attributes, ..point(N::U64(1)) }]))
    };
    assert_eq!([of(MAX_ATTRIBUTES - 1), of(MAX_ATTRIBUTES)], [(true, 1, vec![]), (true, 1, vec![])]);
    assert_eq!(of(MAX_ATTRIBUTES + 1), (false, 0, vec![(Dropped::Size, 1)]));
}

#[test]
fn an_export_is_no_larger_than_it_may_be() {
    let value = "v".repeat(4000);
    let point = |n: usize| wit::GaugeDataPoint {
        attributes: vec![attribute("n", n), attribute("v", value.as_str())],
        ..point(N::U64(1))
    };
    let (ok, kept, dropped) = alone(gauge((0..200).map(point).collect()));
    assert!(!ok && (MAX_EXPORT / 4100..=MAX_EXPORT / 4000).contains(&kept), "{kept}");
    assert_eq!(dropped, [(Dropped::Size, 200 - kept as u64)]);
}

#[test]
fn buckets_at_the_edge() {
    let bounds = |count: usize| (1..count).map(|n| n as f64).collect::<Vec<_>>();
    let of = |count: usize| alone(histogram(bounds(count), vec![0; count]));
    let powers = |count: usize| alone(exponential(wit::ExponentialBucket { offset: 0, counts: vec![0; count] }, 0.0));
    for kept in [0, 1, MAX_BUCKETS - 1, MAX_BUCKETS] {
        assert_eq!([of(kept), powers(kept)], [(true, 1, vec![]), (true, 1, vec![])], "{kept}");
    }
    assert_eq!(of(MAX_BUCKETS + 1), (false, 0, vec![(Dropped::Size, 1)]));
    assert_eq!(powers(MAX_BUCKETS + 1), (false, 0, vec![(Dropped::Size, 1)]));
}

#[test]
fn what_is_not_valid_is_dropped_without_an_error() {
    let nan = f64::NAN;
    for (bounds, counts) in
        [(vec![1.0], vec![1]), (vec![], vec![1, 2]), (vec![2.0, 1.0], vec![0; 3]), (vec![1.0, 1.0], vec![0; 3])]
            .into_iter()
            .chain([(vec![nan], vec![0; 2]), (vec![1.0, nan], vec![0; 3])])
    {
        assert_eq!(alone(histogram(bounds, counts)), (true, 0, vec![(Dropped::Invalid, 1)]));
    }
    let last = wit::ExponentialBucket { offset: i32::MAX - 1, counts: vec![1] };
    assert_eq!(alone(exponential(last.clone(), 0.0)), (true, 1, vec![]));
    let beyond = wit::ExponentialBucket { offset: i32::MAX, ..last };
    for bad in [exponential(beyond, 0.0), exponential(bucket(), nan), gauge(vec![point(N::F64(nan))])] {
        assert_eq!(alone(bad), (true, 0, vec![(Dropped::Invalid, 1)]));
    }
    assert_eq!(alone(gauge(vec![point(N::F64(nan)), point(N::F64(f64::INFINITY))])).1, 1);
    let (state, recorder) = state();
    for name in ["", &"n".repeat(MAX_NAME + 1)] {
        let given = export(name, [gauge(vec![point(N::U64(1)); 2])]);
        assert_eq!(received(&state, &recorder, given), (true, 0, vec![(Dropped::Invalid, 2)]));
    }
    assert_eq!(received(&state, &recorder, export(&"n".repeat(MAX_NAME), [gauge(vec![point(N::U64(1))])])).1, 1);
    // Instruments without points are not forwarded.
    let nothing = export("m", vec![gauge(Vec::new()); 10_000]);
    assert!(state.view().export(nothing).is_ok() && recorder.take() == Arrived::default());
}

fn only(data: D) -> Data {
    let (state, recorder) = state();
    state.view().export(export("m", [data])).unwrap();
    recorder.take().metrics.remove(0).message.data.unwrap()
}

#[test]
fn numbers_that_the_protocol_lacks() {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
    let Data::Gauge(gauge) = only(gauge(vec![point(N::U64(i64::MAX as u64)), point(N::U64(u64::MAX))])) else {
        panic!("a gauge");
    };
    let values: Vec<_> = gauge.data_points.iter().map(|point| point.value.unwrap()).collect();
    assert_eq!(values, [Value::AsInt(i64::MAX), Value::AsDouble(u64::MAX as f64)]);
    let Data::Histogram(histogram) = only(histogram(vec![1.0], vec![0, 1])) else { panic!("a histogram") };
    let point = &histogram.data_points[0];
    assert_eq!((point.sum, point.min, point.max), (None, None, Some(3.0)));
    assert_eq!(histogram.aggregation_temporality, 1);
}

#[test]
fn low_memory_is_delta_for_what_only_grows() {
    for (is_monotonic, temporality, expected) in [
        (true, wit::Temporality::LowMemory, 1),
        (false, wit::Temporality::LowMemory, 2),
        (false, wit::Temporality::Delta, 1),
        (true, wit::Temporality::Cumulative, 2),
    ] {
        let point = wit::SumDataPoint { attributes: Vec::new(), value: N::S64(1), exemplars: Vec::new() };
        let sum = wit::Sum { data_points: vec![point], start_time: TIME, time: TIME, temporality, is_monotonic };
        let Data::Sum(sum) = only(D::S64Sum(sum)) else { panic!("a sum") };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (expected, is_monotonic));
    }
}

#[test]
fn examples_at_the_edge() {
    let example = |trace_id: &str, value| wit::Exemplar {
        filtered_attributes: vec![attribute("a", 1)],
        time: TIME,
        value,
        span_id: "1".to_owned(),
        trace_id: trace_id.to_owned(),
    };
    for (given, kept) in [(MAX_EXEMPLARS - 1, MAX_EXEMPLARS - 1), (MAX_EXEMPLARS, MAX_EXEMPLARS), (999, MAX_EXEMPLARS)]
    {
        let exemplars = vec![example("1", N::F64(1.0)); given];
        let Data::Gauge(gauge) = only(gauge(vec![wit::GaugeDataPoint { exemplars, ..point(N::U64(1)) }])) else {
            panic!("a gauge");
        };
        assert_eq!(gauge.data_points[0].exemplars.len(), kept);
    }
    let exemplars = vec![example("no id", N::U64(1)), example("", N::U64(2)), example("1", N::F64(f64::NAN))];
    let Data::Gauge(gauge) = only(gauge(vec![wit::GaugeDataPoint { exemplars, ..point(N::U64(1)) }])) else {
        panic!("a gauge");
    };
    let kept = &gauge.data_points[0].exemplars;
    assert!(kept.len() == 2 && kept.iter().all(|kept| kept.trace_id.is_empty() && kept.span_id.is_empty()));
}

#[test]
fn resources_at_the_edge() {
    let (state, recorder) = state();
    for n in 0..=MAX_RESOURCES {
        let attributes = vec![attribute("pod", n), attribute("pid", 1)];
        let resource = types::Resource { attributes, schema_url: None };
        let given = wit::ResourceMetrics { resource, ..export("m", [gauge(vec![point(N::U64(1))])]) };
        state.view().export(given).unwrap();
        let resource = recorder.take().metrics.remove(0).resource;
        let expected = if n < MAX_RESOURCES { (2, 0) } else { (0, 2) };
        assert_eq!((resource.attributes.len(), resource.dropped_attributes_count), expected, "{n}");
    }
}
