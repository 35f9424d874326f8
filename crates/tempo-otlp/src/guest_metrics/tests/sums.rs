//! Correctness of the sums, and their export.

use number_data_point::Value::{AsDouble, AsInt};
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogram, Summary};

use super::*;
use crate::guest_metrics::sums::LIMITS;

const LATER: u64 = u64::MAX / 4;

#[test]
fn many_calls_at_once_are_one_sum() {
    let guests = &guests(CUMULATIVE, LIMITS);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            scope.spawn(move || {
                for _ in 0..500 {
                    record_metric(
                        guests,
                        "orders",
                        sum(true, vec![int(2, &[("kind", "tea")]), int(1, &[("kind", "milk")])]),
                    );
                    record_metric(guests, "baskets", sum(false, vec![int(if thread % 2 == 0 { 3 } else { -2 }, &[])]));
                    record_metric(guests, "paid", sum(true, vec![double(0.5, &[])]));
                    record_metric(guests, "price", histogram(&[1.0, 5.0], &[0.5, 7.0]));
                }
            });
        }
    });
    let metrics = exported(guests, LATER);
    let orders = metrics.iter().find(|metric| metric.name == "orders").unwrap();
    let Some(Data::Sum(sum)) = &orders.data else { panic!("{orders:?}") };
    assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
    let mut values: Vec<_> = sum.data_points.iter().map(|point| (point.value.unwrap(), &point.attributes)).collect();
    values.sort_by_key(|(_, attributes)| attributes[0].value.clone().map(|value| format!("{value:?}")));
    let of = |kind| vec![text("kind", kind)];
    assert_eq!(values, [(AsInt(4000), &of("milk")), (AsInt(8000), &of("tea"))]);
    assert_eq!((only(&metrics, "baskets"), only(&metrics, "paid")), (AsInt(2000), AsDouble(2000.0)));
    let [price] = histograms(&metrics)[..] else { panic!("{metrics:?}") };
    assert_eq!((price.count, price.sum, &price.bucket_counts[..]), (8000, Some(30_000.0), &[4000, 0, 4000][..]));
}

#[test]
fn histograms_become_one() {
    let guests = guests(CUMULATIVE, LIMITS);
    record_metric(&guests, "price", histogram(&[1.0, 5.0], &[0.5, 3.0, 3.0]));
    record_metric(&guests, "price", histogram(&[1.0, 5.0], &[-4.0, 100.0]));
    let without = HistogramDataPoint { count: 4, sum: Some(1.0), ..HistogramDataPoint::default() };
    record_metric(&guests, "bare", buckets_of(vec![without.clone()]));
    record_metric(&guests, "bare", buckets_of(vec![without]));
    let metrics = exported(&guests, LATER);
    let [price, bare] = histograms(&metrics)[..] else { panic!("{metrics:?}") };
    assert_eq!((price.count, price.sum, price.min, price.max), (5, Some(102.5), Some(-4.0), Some(100.0)));
    assert_eq!((&price.bucket_counts[..], &price.explicit_bounds[..]), (&[2, 2, 1][..], &[1.0, 5.0][..]));
    assert_eq!((bare.count, &bare.bucket_counts[..], bare.min), (8, &[8][..], None));
    let most = HistogramDataPoint { count: u64::MAX, sum: Some(f64::MAX), ..HistogramDataPoint::default() };
    record_metric(&guests, "bare", buckets_of(vec![most]));
    let metrics = exported(&guests, LATER);
    assert_eq!(histograms(&metrics)[1].bucket_counts, [u64::MAX]);
    assert_eq!(histograms(&metrics)[1].sum, Some(f64::MAX));
}

#[test]
fn numbers_at_their_edges() {
    let guests = guests(CUMULATIVE, LIMITS);
    let add = |name: &str, values: &[NumberDataPoint]| {
        values.iter().for_each(|value| record_metric(&guests, name, sum(false, vec![value.clone()])));
        only(&exported(&guests, LATER), name)
    };
    assert_eq!(add("most", &[int(i64::MAX - 1, &[]), int(1, &[])]), AsInt(i64::MAX));
    assert_eq!(add("more", &[int(i64::MAX, &[]), int(1, &[])]), AsDouble(9_223_372_036_854_775_808.0));
    assert_eq!(add("least", &[int(i64::MIN, &[]), int(-1, &[]), int(1, &[])]), AsDouble(i64::MIN as f64));
    assert_eq!(add("mixed", &[int(1, &[]), double(0.5, &[])]), AsDouble(1.5));
    assert_eq!(add("large", &[double(f64::MAX, &[]), double(f64::MAX, &[])]), AsDouble(f64::MAX));
    assert_eq!(add("back", &[double(f64::MAX, &[]), double(f64::MAX, &[]), double(-f64::MAX, &[])]), AsDouble(0.0));
}

#[test]
fn what_is_no_number_spoils_nothing() {
    let guests = guests(CUMULATIVE, LIMITS);
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for (name, grows) in [("counter", true), ("balance", false)] {
        let mut points: Vec<_> = bad.iter().map(|value| double(*value, &[])).collect();
        points.insert(1, double(1.5, &[]));
        points.push(NumberDataPoint::default());
        record_metric(&guests, name, sum(grows, points));
    }
    record_metric(&guests, "counter", sum(true, vec![int(-1, &[]), double(-0.1, &[])]));
    record_metric(&guests, "level", gauge(vec![double(4.0, &[]), double(f64::NAN, &[])]));
    record_metric(&guests, "", gauge(vec![double(4.0, &[])]));
    assert_eq!(losses(&guests, LossReason::Invalid), 4 + 4 + 2 + 1 + 1);
    let good = || match histogram(&[1.0], &[0.5, 2.0]) {
        Data::Histogram(mut histogram) => histogram.data_points.remove(0),
        _ => unreachable!("it is one"),
    };
    let points = vec![
        HistogramDataPoint { sum: Some(f64::NAN), ..good() },
        HistogramDataPoint { sum: Some(f64::INFINITY), ..good() },
        HistogramDataPoint { sum: None, ..good() },
        HistogramDataPoint { explicit_bounds: vec![f64::NAN], ..good() },
        HistogramDataPoint { explicit_bounds: vec![2.0, 1.0], bucket_counts: vec![1, 1, 0], ..good() },
        HistogramDataPoint { bucket_counts: vec![1], ..good() },
        HistogramDataPoint { bucket_counts: vec![2, 1], ..good() },
        HistogramDataPoint { bucket_counts: vec![u64::MAX, 3], ..good() },
        HistogramDataPoint { min: Some(f64::NAN), max: Some(f64::NAN), ..good() },
        good(),
    ];
    record_metric(&guests, "price", buckets_of(points));
    assert_eq!(losses(&guests, LossReason::Invalid), 12 + 8);
    let metrics = exported(&guests, LATER);
    assert_eq!(["counter", "balance", "level"].map(|name| only(&metrics, name)), [1.5, 1.5, 4.0].map(AsDouble));
    let [price] = histograms(&metrics)[..] else { panic!("{metrics:?}") };
    assert_eq!((price.count, price.sum, price.min, price.max), (4, Some(5.0), Some(0.5), Some(2.0)));
    // A point without a value is valid, and counts nothing.
    record_metric(&guests, "level", gauge(vec![NumberDataPoint { flags: 1, ..NumberDataPoint::default() }]));
    assert_eq!(losses(&guests, LossReason::Invalid), 20);
}

#[test]
fn one_that_differs_in_anything_is_another_metric() {
    let guests = guests(CUMULATIVE, LIMITS);
    let one = || sum(true, vec![int(1, &[])]);
    for _ in 0..2 {
        record_metric(&guests, "x", one());
        record_metric(&guests, "x", sum(false, vec![int(1, &[])]));
        record_metric(&guests, "x", gauge(vec![int(1, &[])]));
        record_metric(&guests, "x", histogram(&[1.0], &[0.5]));
        record_metric(&guests, "x", histogram(&[2.0], &[0.5]));
        record(&guests, &scoped(""), &metric("x", "s", one()));
        record(&guests, &scoped("lib"), &metric("x", "", one()));
        let resource = Resource { attributes: vec![text("a", "b")], ..Resource::default() };
        let scope = scoped("");
        let origin = Origin::guest(&resource, &scope, "");
        assert!(guests.aggregate(origin, &metric("x", "", one())));
        let resource = Resource::default();
        let origin = Origin::guest(&resource, &scope, "http://schema");
        assert!(guests.aggregate(origin, &metric("x", "", one())));
    }
    let metrics = exported(&guests, LATER);
    assert_eq!(metrics.len(), 9, "{metrics:?}");
    let twos = metrics.iter().filter(|metric| match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points[0].value == Some(AsInt(2)),
        Some(Data::Histogram(histogram)) => histogram.data_points[0].count == 2,
        // The last value.
        Some(Data::Gauge(gauge)) => gauge.data_points[0].value == Some(AsInt(1)),
        _ => false,
    });
    assert_eq!(twos.count(), 9);
}

#[test]
fn the_order_of_attributes_is_irrelevant() {
    let guests = guests(CUMULATIVE, LIMITS);
    let (a, b) = (text("a", "1"), text("b", "2"));
    for attributes in [vec![a.clone(), b.clone()], vec![b.clone(), a.clone()], vec![b, a.clone(), a]] {
        let mut unique = attributes.clone();
        unique.truncate(2);
        let resource = Resource { attributes: unique.clone(), ..Resource::default() };
        let scope = InstrumentationScope { attributes: unique, ..InstrumentationScope::default() };
        let point = NumberDataPoint { attributes, ..int(1, &[]) };
        let metric = metric("x", "", sum(true, vec![point]));
        let origin = Origin::guest(&resource, &scope, "");
        assert!(guests.aggregate(origin, &metric));
    }
    assert_eq!(only(&exported(&guests, LATER), "x"), AsInt(3));
}

#[test]
fn totals_have_one_beginning_and_go_out_each_time() {
    let guests = guests(CUMULATIVE, LIMITS);
    record_metric(&guests, "orders", sum(true, vec![int(1, &[])]));
    let first = exported(&guests, LATER);
    record_metric(&guests, "orders", sum(true, vec![int(2, &[])]));
    record_metric(&guests, "late", sum(true, vec![int(1, &[])]));
    let second = exported(&guests, LATER + 10);
    // A clock that is set back does not decrease the sums.
    let third = exported(&guests, 5);
    let point = |metrics: &[Metric], place: usize| numbers_of(&metrics[place])[0].clone();
    let (one, two, three) = (point(&first, 0), point(&second, 0), point(&third, 0));
    assert_eq!([&one, &two, &three].map(|point| point.value), [1, 3, 3].map(|sum| Some(AsInt(sum))));
    assert_eq!([&one, &two, &three].map(|point| point.time_unix_nano), [LATER, LATER + 10, LATER + 10]);
    assert!(one.start_time_unix_nano > 0 && one.start_time_unix_nano < LATER);
    assert_eq!([two.start_time_unix_nano, three.start_time_unix_nano], [one.start_time_unix_nano; 2]);
    assert_eq!(point(&second, 1).start_time_unix_nano, LATER);
    // Another process starts anew, with its own start time.
    let again = super::guests(CUMULATIVE, LIMITS);
    record_metric(&again, "orders", sum(true, vec![int(1, &[])]));
    let fourth = point(&exported(&again, LATER), 0);
    assert_eq!(fourth.value, Some(AsInt(1)));
    assert!(fourth.start_time_unix_nano >= one.start_time_unix_nano);
}

#[test]
fn changes_go_out_once() {
    for (sent, scraped) in [(Temporality::Delta, false), (Temporality::Delta, true), (Temporality::LowMemory, false)] {
        let guests = GuestMetrics::with_limits(Some(sent), scraped, Arc::default(), LIMITS);
        for _ in 0..2 {
            record_metric(&guests, "orders", sum(true, vec![int(1, &[])]));
            record_metric(&guests, "baskets", sum(false, vec![int(-1, &[])]));
            record_metric(&guests, "level", gauge(vec![int(4, &[])]));
            record_metric(&guests, "price", histogram(&[1.0], &[0.5]));
        }
        let first = exported(&guests, LATER);
        assert_eq!((only(&first, "orders"), only(&first, "level")), (AsInt(2), AsInt(4)));
        assert_eq!((only(&first, "baskets"), histograms(&first)[0].count), (AsInt(-2), 2));
        for metric in &first {
            let temporality = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => sum.aggregation_temporality(),
                Data::Histogram(histogram) => histogram.aggregation_temporality(),
                _ => continue,
            };
            // The specification exports up-down counters as totals in any case.
            assert_eq!(temporality == DELTA, metric.name != "baskets");
        }
        let second = exported(&guests, LATER + 10);
        assert_eq!(second.iter().map(|metric| &metric.name[..]).collect::<Vec<_>>(), ["baskets"]);
        record_metric(&guests, "orders", sum(true, vec![int(5, &[])]));
        let third = exported(&guests, LATER + 20);
        let orders = third.iter().find(|metric| metric.name == "orders").unwrap();
        let point = &numbers_of(orders)[0];
        assert_eq!((point.value, point.start_time_unix_nano), (Some(AsInt(5)), LATER + 10));
        assert_eq!(point.time_unix_nano, LATER + 20);
        // A scrape gets totals in either case; without one, totals are not kept.
        let families = guests.families(&[]);
        let total = families.iter().find(|family| family.name() == "orders_total");
        assert_eq!(total.map(|family| family.get_metric()[0].get_counter().get_value()), scraped.then_some(7.0));
    }
}

#[test]
fn what_cannot_be_summed_is_passed_on() {
    let guests = guests(CUMULATIVE, LIMITS);
    let total = AggregationTemporality::Cumulative.into();
    let exponential = ExponentialHistogram { aggregation_temporality: DELTA.into(), ..Default::default() };
    for data in [
        Data::Sum(Sum { data_points: vec![int(1, &[])], aggregation_temporality: total, is_monotonic: true }),
        Data::Sum(Sum { data_points: vec![int(1, &[])], ..Sum::default() }),
        Data::Histogram(Histogram { aggregation_temporality: total, ..Histogram::default() }),
        Data::ExponentialHistogram(exponential),
        Data::Summary(Summary::default()),
    ] {
        assert!(!record(&guests, &scoped(""), &metric("x", "", data)));
    }
    assert!(!record(&guests, &scoped(""), &Metric::default()));
    assert!(exported(&guests, LATER).is_empty());
}
