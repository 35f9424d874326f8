//! Limits under hostile input.

use number_data_point::Value::AsInt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::guest_metrics::sums::LIMITS;

const NOW: u64 = u64::MAX / 4;

fn series(number: usize) -> Data {
    sum(true, vec![int(1, &[("number", &number.to_string())])])
}

fn overflowed(point: &NumberDataPoint) -> bool {
    let truth = Some(AnyValue { value: Some(Any::BoolValue(true)) });
    matches!(&point.attributes[..], [one] if one.key == "otel.metric.overflow" && one.value == truth)
}

#[test]
fn series_at_the_limit_and_one_beyond() {
    for (recorded, overflow) in [(3, None), (4, None), (5, Some(1)), (9, Some(5))] {
        let guests = guests(CUMULATIVE, Limits { series: 4, ..LIMITS });
        (0..recorded).for_each(|number| record_metric(&guests, "x", series(number)));
        let metrics = exported(&guests, NOW);
        let points = numbers_of(&metrics[0]);
        let found = points.iter().find(|point| overflowed(point)).and_then(|point| point.value);
        assert_eq!(found, overflow.map(AsInt), "{recorded}");
        assert_eq!(points.len(), recorded.min(4) + usize::from(overflow.is_some()));
        // Known series and other metrics are still updated.
        record_metric(&guests, "x", series(0));
        record_metric(&guests, "y", series(9));
        let metrics = exported(&guests, NOW);
        assert!(numbers_of(&metrics[0]).iter().any(|point| point.value == Some(AsInt(2)) && !overflowed(point)));
        assert_eq!((numbers_of(&metrics[1]).len(), losses(&guests, LossReason::TooManySeries)), (1, 0));
    }
}

#[test]
fn an_overflow_of_the_guests_own_is_the_same_series() {
    let guests = guests(CUMULATIVE, Limits { series: 1, ..LIMITS });
    let value = Some(AnyValue { value: Some(Any::BoolValue(true)) });
    let own = KeyValue { key: "otel.metric.overflow".to_owned(), value, ..KeyValue::default() };
    (0..3).for_each(|number| record_metric(&guests, "x", series(number)));
    record_metric(&guests, "x", sum(true, vec![NumberDataPoint { attributes: vec![own], ..int(10, &[]) }]));
    let metrics = exported(&guests, NOW);
    let points = numbers_of(&metrics[0]);
    assert_eq!(points.len(), 2);
    assert!(points.iter().any(|point| overflowed(point) && point.value == Some(AsInt(12))));
}

#[test]
fn metrics_at_the_limit_and_one_beyond() {
    let guests = guests(CUMULATIVE, Limits { metrics: 2, ..LIMITS });
    for (name, lost) in [("a", 0), ("b", 0), ("c", 1), ("a", 1), ("c", 2)] {
        record_metric(&guests, name, series(0));
        assert_eq!(losses(&guests, LossReason::TooManySeries), lost, "{name}");
    }
    let metrics = exported(&guests, NOW);
    assert_eq!((metrics.len(), only(&metrics, "a"), only(&metrics, "b")), (2, AsInt(2), AsInt(1)));
}

#[test]
fn where_there_are_no_more_bytes_known_metrics_overflow_and_others_are_dropped() {
    let guests = guests(CUMULATIVE, Limits { bytes: 20_000, ..LIMITS });
    let long = "v".repeat(1000);
    for number in 0..100 {
        record_metric(&guests, "x", sum(true, vec![int(1, &[("number", &format!("{number} {long}"))])]));
    }
    assert_eq!(losses(&guests, LossReason::TooManySeries), 0);
    (0..100).for_each(|number| record_metric(&guests, &format!("{number}{long}"), series(0)));
    assert!(losses(&guests, LossReason::TooManySeries) > 90);
    let metrics = exported(&guests, NOW);
    let points = numbers_of(&metrics[0]);
    let counted = points.iter().map(|point| match point.value {
        Some(AsInt(value)) => value,
        other => panic!("{other:?}"),
    });
    assert_eq!(counted.sum::<i64>(), 100);
    assert!(points.len() > 10 && points.iter().any(overflowed), "{}", points.len());
}

/// Allocated bytes, counted independently; nodes of trees are half full at worst.
fn allocated(sums: &Sums) -> usize {
    let of_series = |key: &[u8], series: &crate::guest_metrics::sums::Series| {
        let buckets = match &series.value {
            value::Value::Histogram(histogram) => histogram.buckets.len() * 8,
            value::Value::Number(_) => 0,
        };
        key.len() + buckets + 2 * (size_of::<Box<[u8]>>() + size_of_val(series))
    };
    let of_metric = |metric: &crate::guest_metrics::sums::Metric| {
        let own = size_of_val(metric) + size_of::<Identity<'_>>() + metric.identity.len() + metric.description.len();
        own + metric.series.iter().map(|(key, series)| of_series(key, series)).sum::<usize>()
    };
    sums.metrics.iter().map(of_metric).sum()
}

/// Metrics with names, attributes and bounds of any length, in any number.
fn hostile() -> impl Strategy<Value = Metric> {
    let point = |(key, long, value): (u16, usize, f64)| double(value, &[(&key.to_string(), &"v".repeat(long))]);
    let numbers = move |grows| {
        vec((any::<u16>(), 0..3000_usize, any::<f64>()), 0..50)
            .prop_map(move |points| sum(grows, points.into_iter().map(point).collect()))
    };
    let bounds = vec(-1e9..1e9_f64, 0..400).prop_map(|mut bounds| {
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        histogram(&bounds, &[1.0, 2.0])
    });
    let data = prop_oneof![numbers(true), numbers(false), bounds];
    (any::<u16>(), 0..2000_usize, ".{0,40}", data).prop_map(|(name, long, unit, data)| {
        let description = "d".repeat(long);
        Metric { description, ..metric(&format!("{name} {unit}"), &unit, data) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    /// For any input, memory is bounded, everything fits into one export, and no valid number is lost.
    #[test]
    fn room_is_bounded(recorded in vec(hostile(), 100..200)) {
        let guests = GuestMetrics::with_limits(CUMULATIVE, true, Arc::default(), LIMITS);
        recorded.iter().for_each(|metric| assert!(super::record(&guests, &scoped(""), metric)));
        {
            let stores = guests.stores();
            prop_assert!(stores.total.held() <= LIMITS.bytes);
            prop_assert!(allocated(&stores.total) <= stores.total.held(), "{}", allocated(&stores.total));
            prop_assert!(stores.total.metrics.len() <= LIMITS.metrics);
        }
        let metrics = exported(&guests, NOW);
        prop_assert_eq!((losses(&guests, LossReason::QueueFull), losses(&guests, LossReason::TooLarge)), (0, 0));
        for metric in metrics.iter().filter(|metric| !matches!(metric.data, Some(Data::Histogram(_)))) {
            let finite = |point: &NumberDataPoint| match point.value {
                Some(number_data_point::Value::AsDouble(value)) => value.is_finite(),
                _ => false,
            };
            prop_assert!(numbers_of(metric).iter().all(finite));
        }
        prop_assert!(!guests.families(&[]).is_empty());
    }
}

#[test]
fn very_many_series_are_several_messages() {
    let guests = guests(CUMULATIVE, LIMITS);
    let long = "v".repeat(100);
    let points = (0..1000).map(|number| int(1, &[("number", &format!("{number} {long}"))]));
    record_metric(&guests, "x", sum(true, points.collect()));
    let metrics = exported(&guests, NOW);
    assert!((3..20).contains(&metrics.len()), "{}", metrics.len());
    assert!(metrics.iter().all(|metric| metric.encoded_len() < 64 << 10));
    assert_eq!(metrics.iter().map(|metric| numbers_of(metric).len()).sum::<usize>(), 1000);
}
