//! Guest metrics arrive as sums over all instances.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, NumberDataPoint, Sum};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tempo_otlp::testing::{Collector, Received};
use tempo_telemetry::{Origin, Record, Telemetry};

use super::support::{PATIENCE, PROTOCOLS, start};

const VARIABLE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// One order, as a guest's SDK records it at the end of a call.
fn order(telemetry: &Telemetry) {
    let kind = Some(AnyValue { value: Some(any_value::Value::StringValue("tea".into())) });
    let point = NumberDataPoint {
        attributes: vec![KeyValue { key: "kind".into(), value: kind, ..KeyValue::default() }],
        value: Some(Value::AsInt(1)),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        ..NumberDataPoint::default()
    };
    let delta = AggregationTemporality::Delta.into();
    let sum = Sum { data_points: vec![point], aggregation_temporality: delta, is_monotonic: true };
    let metric = Metric {
        name: "orders".into(),
        unit: "{order}".into(),
        description: "What was ordered".into(),
        data: Some(Data::Sum(sum)),
        ..Metric::default()
    };
    let (resource, scope) = (Resource::default(), InstrumentationScope { name: "shop".into(), ..Default::default() });
    let origin = Origin::guest(&resource, &scope, "http://schema");
    telemetry.record(origin, Record::Metric(&metric));
}

fn orders(collector: &Collector) -> Vec<Received<Metric>> {
    collector.measured().into_iter().filter(|received| received.item.name == "orders").collect()
}

fn sum(received: &Received<Metric>) -> (&Sum, &NumberDataPoint, i64) {
    let Some(Data::Sum(sum)) = &received.item.data else { panic!("no sum: {received:?}") };
    let [point] = &sum.data_points[..] else { panic!("not one series: {sum:?}") };
    let Some(Value::AsInt(value)) = point.value else { panic!("no whole number: {point:?}") };
    (sum, point, value)
}

#[test]
fn a_thousand_calls_are_one_sum() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let running = start(&collector.endpoint(), protocol, &[("OTEL_SERVICE_NAME", "shop")]);
        let telemetry = running.telemetry();
        (0..1000).for_each(|_| order(&telemetry));
        let last = collector.wait_for("all of them", |c| orders(c).pop().filter(|received| sum(received).2 == 1000));
        let (total, point, _) = sum(&last);
        assert!(total.is_monotonic);
        assert_eq!(total.aggregation_temporality(), AggregationTemporality::Cumulative);
        assert_eq!((point.attributes[0].key.as_str(), last.item.unit.as_str()), ("kind", "{order}"));
        assert_eq!((last.scope.name.as_str(), last.schema_url.as_str()), ("shop", "http://schema"));
        assert_eq!(last.item.description, "What was ordered");
        assert_eq!(last.resource_text("service.name"), Some("shop"));
        // One series throughout.
        let all = orders(&collector);
        let firsts: Vec<_> = all.iter().map(|received| sum(received).1.start_time_unix_nano).collect();
        assert!(firsts.iter().all(|first| *first == firsts[0] && *first > 2), "{firsts:?}");
        assert!(all.windows(2).all(|pair| sum(&pair[0]).2 <= sum(&pair[1]).2));
        running.shutdown(PATIENCE);
    }
}

#[test]
fn changes_are_sent_once_and_the_last_ones_at_the_end() {
    let collector = Collector::start().unwrap();
    let running = start(&collector.endpoint(), "http/protobuf", &[(VARIABLE, "delta")]);
    let telemetry = running.telemetry();
    (0..1000).for_each(|_| order(&telemetry));
    collector.wait_for("some of them", |c| orders(c).pop());
    (0..10).for_each(|_| order(&telemetry));
    running.shutdown(PATIENCE);
    let all = orders(&collector);
    assert!(all.iter().all(|received| sum(received).0.aggregation_temporality() == AggregationTemporality::Delta));
    assert_eq!(all.iter().map(|received| sum(received).2).sum::<i64>(), 1010);
    assert!(all.iter().all(|received| sum(received).2 > 0));
    // Each interval starts where the previous one ended.
    assert!(all.windows(2).all(|pair| sum(&pair[0]).1.time_unix_nano <= sum(&pair[1]).1.start_time_unix_nano));
}

#[test]
fn items_recorded_after_the_last_collection_are_flushed_at_shutdown() {
    let collector = Collector::start().unwrap();
    let running = start(&collector.endpoint(), "grpc", &[("OTEL_METRIC_EXPORT_INTERVAL", "86400000")]);
    (0..3).for_each(|_| order(&running.telemetry()));
    running.shutdown(PATIENCE);
    let [received] = &orders(&collector)[..] else { panic!("not once") };
    assert_eq!(sum(received).2, 3);
}
