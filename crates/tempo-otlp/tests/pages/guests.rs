//! Guest metrics on `/metrics`, as Prometheus reads them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tempo_otlp::{ADMIN, Admin, Builder, Config, Health, Listener, Running, Scrape};
use tempo_telemetry::{Origin, Record, Signal, Telemetry};

use crate::beside::beside;
use crate::promtool::promtool;
use crate::support::get;

const DELTA: i32 = AggregationTemporality::Delta as i32;

/// Returns the page of telemetry that is not exported, after `record`.
fn page(record: impl FnOnce(&Telemetry)) -> String {
    let (scrape, reader) = Scrape::new().unwrap();
    let builder = Builder::new(Config::new(), "app", ("test", "1")).reader(reader).scrape(&scrape);
    let running: Running = builder.start().unwrap().unwrap();
    let telemetry = running.telemetry();
    assert!(
        telemetry.enabled(Signal::Metrics) && !telemetry.enabled(Signal::Traces) && !telemetry.enabled(Signal::Logs)
    );
    telemetry.count_limit_hit("memory");
    record(&telemetry);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &ADMIN).unwrap();
    let address = listener.address();
    let (status, text) = beside(Admin::new(Health::default(), scrape).serve(listener), get(address, "/metrics"));
    assert_eq!(status, 200);
    text
}

fn record(telemetry: &Telemetry, scope: &str, name: &str, unit: &str, data: Data) {
    let metric = Metric { name: name.into(), unit: unit.into(), data: Some(data), ..Metric::default() };
    let (resource, scope) = (Resource::default(), InstrumentationScope { name: scope.into(), ..Default::default() });
    let origin = Origin::guest(&resource, &scope, "");
    telemetry.record(origin, Record::Metric(&metric));
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn numbers(attributes: Vec<KeyValue>) -> Vec<NumberDataPoint> {
    let value = Some(number_data_point::Value::AsInt(1));
    vec![NumberDataPoint { attributes, value, ..NumberDataPoint::default() }]
}

fn every_kind(attributes: &[KeyValue]) -> [Data; 4] {
    let of = || numbers(attributes.to_vec());
    let sum = |is_monotonic| Data::Sum(Sum { data_points: of(), aggregation_temporality: DELTA, is_monotonic });
    let point = HistogramDataPoint {
        attributes: attributes.to_vec(),
        count: 3,
        sum: Some(9.5),
        bucket_counts: vec![1, 2, 0],
        explicit_bounds: vec![2.5, f64::INFINITY],
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: DELTA };
    [sum(true), sum(false), Data::Gauge(Gauge { data_points: of() }), Data::Histogram(histogram)]
}

#[test]
fn prometheus_reads_what_guests_measure() {
    let text = page(|telemetry| {
        for _ in 0..3 {
            for (name, data) in ["orders", "baskets", "level", "price"].into_iter().zip(every_kind(&[])) {
                record(telemetry, "shop", name, "", data);
            }
            for (name, data) in ["sent", "open", "warmth", "time"].into_iter().zip(every_kind(&[attribute("k", "v")])) {
                record(telemetry, "shop", name, "s", data);
            }
        }
    });
    for line in [
        "orders_total{otel_scope_name=\"shop\"} 3",
        "baskets{otel_scope_name=\"shop\"} 3",
        "level{otel_scope_name=\"shop\"} 1",
        "price_bucket{otel_scope_name=\"shop\",le=\"2.5\"} 3",
        "price_bucket{otel_scope_name=\"shop\",le=\"+Inf\"} 9",
        "sent_seconds_total{k=\"v\",otel_scope_name=\"shop\"} 3",
        "tempo_limit_hits_total{tempo_component=\"app\",tempo_limit=\"memory\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let (status, output) = promtool(&text);
    assert_eq!(status, Some(0), "{output}\n{text}");
}

/// Guests may ignore Prometheus's style, but the page must be readable.
#[test]
fn prometheus_reads_the_page_whatever_guests_call_things() {
    let names =
        ["", "a b", "1", "é{}", "__name__", "x\n# TYPE y", "le", "target_info", "tempo.limit.hits", "x_sum", "x"];
    let text = page(|telemetry| {
        for name in names {
            for unit in ["", "s", "}", "x/y"] {
                let attributes = names.map(|key| attribute(key, "\"\\\n\r\u{0}\u{7f}é"));
                for data in every_kind(&attributes) {
                    record(telemetry, name, name, unit, data.clone());
                    record(telemetry, "other", name, unit, data);
                }
            }
        }
    });
    assert!(text.contains("tempo_limit_hits_total{tempo_component=\"app\",tempo_limit=\"memory\"} 1\n"), "{text}");
    let mut families: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let all = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), all);
    let mut series: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(|l| l.rsplit_once(' ')).collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup_by_key(|line| line.map(|(series, _)| series));
    assert_eq!(series.len(), all);
    // 3 reports violations of its style.
    let (status, output) = promtool(&text);
    assert!(matches!(status, Some(0 | 3)), "{status:?} {output}\n{text}");
}
