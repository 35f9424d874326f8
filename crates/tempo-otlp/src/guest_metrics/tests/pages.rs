//! Guest metrics on Prometheus's page, and those left out of it.

use prometheus::TextEncoder;
use prometheus::proto::MetricType;

use super::*;
use crate::guest_metrics::sums::LIMITS;

fn page(guests: &GuestMetrics, host: &[MetricFamily]) -> String {
    TextEncoder::new().encode_to_string(&guests.families(host)).unwrap()
}

#[test]
fn every_kind_is_shown() {
    let guests = guests(None, LIMITS);
    let shop = scoped("shop");
    let record = |metric: &Metric| assert!(super::record(&guests, &shop, metric));
    for _ in 0..2 {
        record(&metric("orders", "{order}", sum(true, vec![int(1, &[("tea.kind", "\"green\"\n")])])));
        record(&metric("baskets", "", sum(false, vec![int(-2, &[])])));
        record(&metric("temperature", "Cel", gauge(vec![double(21.5, &[])])));
        let described = metric("price", "By/s", histogram(&[1.0, 5.0, f64::INFINITY], &[0.5, 7.0]));
        record(&Metric { description: "What was paid".to_owned(), ..described });
    }
    let expected = r#"# HELP baskets A metric of the component
# TYPE baskets gauge
baskets{otel_scope_name="shop"} -4
# HELP orders_total A metric of the component
# TYPE orders_total counter
orders_total{otel_scope_name="shop",tea_kind="\"green\"\n"} 2
# HELP price_bytes_per_second What was paid
# TYPE price_bytes_per_second histogram
price_bytes_per_second_bucket{otel_scope_name="shop",le="1"} 2
price_bytes_per_second_bucket{otel_scope_name="shop",le="5"} 2
price_bytes_per_second_bucket{otel_scope_name="shop",le="+Inf"} 4
price_bytes_per_second_sum{otel_scope_name="shop"} 15
price_bytes_per_second_count{otel_scope_name="shop"} 4
# HELP temperature_celsius A metric of the component
# TYPE temperature_celsius gauge
temperature_celsius{otel_scope_name="shop"} 21.5
"#;
    assert_eq!(page(&guests, &[]), expected);
}

#[test]
fn what_looks_the_same_to_prometheus_is_one_series() {
    let guests = guests(None, LIMITS);
    for attributes in [[("a.b", "1")], [("a_b", "1")]] {
        record_metric(&guests, "x.y", sum(true, vec![int(1, &attributes)]));
        record_metric(&guests, "x_y", sum(true, vec![int(1, &attributes)]));
        record(&guests, &scoped(""), &metric("x.y", "{order}", sum(true, vec![double(0.5, &attributes)])));
    }
    record_metric(&guests, "x.y", sum(true, vec![int(1, &[("a.b", "1"), ("a_b", "2"), ("otel.scope.name", "me")])]));
    record_metric(&guests, "price", histogram(&[1.0], &[0.5]));
    record_metric(&guests, "price", histogram(&[2.0], &[0.5]));
    let page = page(&guests, &[]);
    assert!(page.contains("x_y_total{a_b=\"1\",otel_scope_name=\"\"} 5\n"), "{page}");
    assert!(page.contains("x_y_total{a_b=\"1;2\",otel_scope_name=\";me\"} 1\n"), "{page}");
    assert!(page.contains("price_count{otel_scope_name=\"\"} 1\n") && !page.contains("le=\"2\""), "{page}");
}

#[test]
fn a_name_that_means_something_else_is_left_out() {
    let mut host = MetricFamily::default();
    host.set_name("host".to_owned());
    host.set_field_type(MetricType::HISTOGRAM);
    let guests = guests(None, LIMITS);
    let one = || vec![int(1, &[])];
    for name in ["host", "host_count", "host_bucket", "mine", "mine.sum", "first_sum", "other"] {
        record_metric(&guests, name, gauge(one()));
    }
    record_metric(&guests, "mine", sum(false, one()));
    record_metric(&guests, "mine", histogram(&[1.0], &[0.5]));
    record_metric(&guests, "first", histogram(&[1.0], &[0.5]));
    record_metric(&guests, "other", sum(true, one()));
    let families = guests.families(&[host]);
    let shown: Vec<_> = families.iter().map(|family| (family.name(), family.get_field_type())).collect();
    let (gauge, counter) = (MetricType::GAUGE, MetricType::COUNTER);
    let expected =
        [("first_sum", gauge), ("mine", gauge), ("mine_sum", gauge), ("other", gauge), ("other_total", counter)];
    assert_eq!(shown, expected);
    assert_eq!(families[1].get_metric()[0].get_gauge().get_value(), 1.0);
}

#[test]
fn a_page_is_bounded() {
    let guests = guests(None, LIMITS);
    let bounds: Vec<_> = (0..500).map(f64::from).collect();
    let Data::Histogram(mut histogram) = histogram(&bounds, &[0.5]) else { unreachable!("it is one") };
    for number in 0..6 {
        histogram.data_points[0].attributes = vec![text("k", &format!("{number}{}", "v".repeat(60_000)))];
        record_metric(&guests, "large", Data::Histogram(histogram.clone()));
        // All of it is aggregated and exported.
        assert_eq!(histograms(&exported(&guests, u64::MAX / 4)).len(), number + 1);
    }
    record_metric(&guests, "small", gauge(vec![int(1, &[])]));
    let page = page(&guests, &[]);
    assert!(page.len() < 5 << 20, "{}", page.len());
    assert!(page.contains("small{otel_scope_name=\"\"} 1\n"));
}
