//! Telemetry arrives at the collector as it was recorded.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as Pair, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, Summary};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_otlp::testing::Collector;
use tempo_otlp::{Config, Exporter, Sampler};
use tempo_telemetry::{ComponentMeter, Instruments, Origin, Record, Signal, Sink};

use super::support::{PATIENCE, PROTOCOLS, record_span, settings, start};

fn text(key: &str, value: &str) -> Pair {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    Pair { key: key.into(), value, ..Pair::default() }
}

#[test]
fn a_tree_of_the_hosts_spans() {
    for protocol in PROTOCOLS {
        for compression in ["none", "gzip"] {
            let collector = Collector::start().unwrap();
            let running = start(&collector.endpoint(), protocol, &[("OTEL_EXPORTER_OTLP_COMPRESSION", compression)]);
            let telemetry = running.telemetry();
            let mut root = telemetry.start(SpanKind::Server, None, || "GET".into()).unwrap();
            root.set("http.response.status_code", 200);
            for name in ["get store", "set store"] {
                let mut child = telemetry.start(SpanKind::Client, Some(root.context()), || name.into()).unwrap();
                if name == "set store" {
                    child.fail("quota");
                    child.link(root.context().clone());
                }
            }
            let context = root.context().clone();
            drop(root);
            let spans = collector.wait_for("three spans", |c| Some(c.spans()).filter(|spans| spans.len() >= 3));
            let named = |name: &str| spans.iter().find(|received| received.item.name == name).unwrap();
            let (root, get, set) = (named("GET"), named("get store"), named("set store"));
            assert_eq!(root.item.span_id, context.span_id().to_bytes());
            assert!(root.item.parent_span_id.is_empty());
            assert_eq!(root.item.attributes[0].key, "http.response.status_code");
            for child in [get, set] {
                assert_eq!(child.item.parent_span_id, root.item.span_id);
                assert_eq!(child.item.trace_id, context.trace_id().to_bytes());
            }
            assert_eq!(set.item.status.as_ref().unwrap().code, 2);
            assert_eq!(set.item.links[0].span_id, root.item.span_id);
            assert_eq!(root.resource_text("service.name"), Some("component"));
            assert_eq!(root.resource_text("process.runtime.name"), Some("tempo-test"));
            assert_eq!((root.scope.name.as_str(), root.scope.version.as_str()), ("tempo-test", "1.2.3"));
            running.shutdown(PATIENCE);
        }
    }
}

#[test]
fn guest_items_have_their_own_scope_and_the_merged_resource() {
    let resource = Resource { attributes: vec![text("guest.version", "7")], ..Resource::default() };
    let scope =
        InstrumentationScope { name: "guest lib".into(), attributes: vec![text("a", "b")], ..Default::default() };
    let span = Span {
        name: "inner".into(),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        dropped_events_count: 3,
        ..Span::default()
    };
    let log = LogRecord { severity_number: 9, event_name: "e".into(), ..LogRecord::default() };
    // Forwarded unchanged.
    let metric = Metric { name: "queue".into(), data: Some(Data::Summary(Summary::default())), ..Metric::default() };
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let running = start(&collector.endpoint(), protocol, &[("OTEL_SERVICE_NAME", "shop")]);
        let telemetry = running.telemetry();
        let (no_resource, no_scope) = (Resource::default(), InstrumentationScope::default());
        for record in [Record::Span(&span), Record::Log(&log), Record::Metric(&metric)] {
            assert!(telemetry.enabled(record.signal()));
            let own = Origin::guest(&resource, &scope, "http://schema");
            telemetry.record(own, record);
            telemetry.record(Origin::guest(&no_resource, &no_scope, ""), record);
        }
        record_span(&telemetry, "of the host");
        let spans = collector.wait_for("three spans", |c| Some(c.spans()).filter(|all| all.len() >= 3));
        let logs = collector.wait_for("two logs", |c| Some(c.records()).filter(|all| all.len() >= 2));
        let metrics = collector.wait_for("two metrics", |c| {
            Some(c.measured().into_iter().filter(|received| received.item.name == "queue").collect::<Vec<_>>())
                .filter(|all| all.len() >= 2)
        });
        assert_eq!(spans.iter().filter(|received| received.item == span).count(), 2);
        assert!(
            logs.iter().all(|received| received.item == log) && metrics.iter().all(|received| received.item == metric)
        );
        let places =
            spans.iter().filter(|received| received.item == span).map(|t| (&t.resource, &t.scope, &t.schema_url));
        let places = places.chain(logs.iter().map(|t| (&t.resource, &t.scope, &t.schema_url)));
        let places = places.chain(metrics.iter().map(|t| (&t.resource, &t.scope, &t.schema_url)));
        let (own, plain): (Vec<_>, Vec<_>) = places.partition(|(_, scope, _)| !scope.name.is_empty());
        assert_eq!((own.len(), plain.len()), (3, 3));
        for (its, of, schema_url) in own {
            assert_eq!((of, schema_url.as_str()), (&scope, "http://schema"));
            let host = &plain[0].0.attributes;
            assert_eq!(its.attributes, [&host[..], &resource.attributes].concat());
        }
        assert!(telemetry.reserves("service.name") && !telemetry.reserves("guest.version"));
        running.shutdown(PATIENCE);
    }
}

struct Durations(Histogram<f64>);

impl Instruments for Durations {
    fn register(meter: &ComponentMeter) -> Self {
        Self(meter.seconds("http.server.request.duration", "Duration of HTTP server requests"))
    }
}

#[test]
fn the_hosts_metrics_have_the_preferred_temporality() {
    for (protocol, preference) in [("grpc", "cumulative"), ("http/protobuf", "delta")] {
        let collector = Collector::start().unwrap();
        let variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        let running = start(&collector.endpoint(), protocol, &[(variable, preference)]);
        let telemetry = running.telemetry();
        telemetry.count_limit_hit("memory");
        let durations = telemetry.instruments::<Durations>().unwrap();
        durations.0.record(0.2, &[KeyValue::new("http.request.method", "GET")]);
        let find = |name: &str| {
            collector.wait_for(name, |c| c.measured().into_iter().find(|received| received.item.name == name))
        };
        let (hits, duration) = (find("tempo.limit.hits"), find("http.server.request.duration"));
        let Some(Data::Sum(sum)) = &hits.item.data else { panic!("no sum") };
        let Some(Data::Histogram(histogram)) = &duration.item.data else { panic!("no histogram") };
        let expected = match preference {
            "delta" => AggregationTemporality::Delta,
            _ => AggregationTemporality::Cumulative,
        };
        assert_eq!((sum.aggregation_temporality(), histogram.aggregation_temporality()), (expected, expected));
        assert_eq!(histogram.data_points[0].explicit_bounds.len(), 14);
        assert_eq!(hits.resource_text("service.name"), Some("component"));
        let sent = find("tempo.telemetry.sent");
        assert!(matches!(&sent.item.data, Some(Data::Sum(sum)) if sum.is_monotonic));
        running.shutdown(PATIENCE);
    }
}

#[test]
fn the_protocol_and_the_headers_are_those_of_the_specification() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let running = start(&collector.endpoint(), protocol, &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")]);
        record_span(&running.telemetry(), "x");
        collector.wait_for("a span", |c| c.spans().pop());
        let head = collector.heads().into_iter().find(|head| head.path.to_lowercase().contains("trace")).unwrap();
        assert_eq!(head.headers["api-key"], "a b");
        assert!(head.headers["user-agent"].to_str().unwrap().starts_with("OTel-OTLP-Exporter-"));
        let (version, kind) = match protocol {
            "grpc" => (http::Version::HTTP_2, "application/grpc"),
            _ => (http::Version::HTTP_11, "application/x-protobuf"),
        };
        assert_eq!((head.version, head.headers["content-type"].to_str().unwrap()), (version, kind));
    }
}

#[test]
fn much_is_sent_at_once_and_all_of_it_arrives() {
    let collector = Collector::start().unwrap();
    // The schedule never fires: the export is triggered by size, and by shutdown.
    let slow = [("OTEL_BSP_SCHEDULE_DELAY", "86400000")];
    let running = start(&collector.endpoint(), "grpc", &slow);
    let telemetry = running.telemetry();
    let long = "x".repeat(1000);
    for number in 0..1000_i64 {
        let mut span = telemetry.start(SpanKind::Internal, None, || Cow::Owned(format!("{number} {long}"))).unwrap();
        span.set("number", number);
        span.data().unwrap().status = Status::Ok;
    }
    collector.wait_for("what was sent for its amount", |c| c.spans().pop());
    running.shutdown(PATIENCE);
    let mut names: Vec<_> = collector
        .spans()
        .into_iter()
        .map(|received| received.item.name.split(' ').next().unwrap().parse::<u32>().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.into_iter().eq(0..1000));
    assert!(collector.traces().len() < 20, "{} requests", collector.traces().len());
}

#[test]
fn a_typed_configuration_is_as_good_as_variables() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let exporter = if protocol == "grpc" { Exporter::grpc } else { Exporter::http };
        let exporter = exporter(&collector.endpoint()).unwrap().header("api-key", "a b").unwrap().gzip(true);
        let quick = std::time::Duration::from_millis(20);
        let config = Config::new().exporter(&exporter).sampler(Sampler::AlwaysOn).attribute("service.name", "shop");
        let config = config.traces_delay(quick).logs_delay(quick).metrics_interval(quick);
        let running = tempo_otlp::start(config, "component", ("tempo-test", "1")).unwrap().unwrap();
        record_span(&running.telemetry(), "x");
        running.telemetry().count_limit_hit("memory");
        let span = collector.wait_for("a span", |c| c.spans().pop());
        assert_eq!((span.item.name.as_str(), span.resource_text("service.name")), ("x", Some("shop")));
        collector.wait_for("a metric", |c| c.measured().into_iter().find(|m| m.item.name == "tempo.limit.hits"));
        assert!(collector.heads().iter().all(|head| head.headers["api-key"] == "a b"));
        running.shutdown(PATIENCE);
    }
    let error = Exporter::http("http://user:secret@c:1").unwrap_err().to_string();
    assert!(error.contains("without a user name") && !error.contains("secret"), "{error}");
    Exporter::grpc("c:1").unwrap_err();
    Exporter::http("http://c:1").unwrap().header("content-type", "text/plain").unwrap_err();
}

#[test]
fn sampling_is_honoured() {
    let collector = Collector::start().unwrap();
    let running = start(&collector.endpoint(), "grpc", &[("OTEL_TRACES_SAMPLER", "always_off")]);
    let span = running.telemetry().start(SpanKind::Server, None, || "x".into()).unwrap();
    assert!(span.context().is_valid() && !span.context().is_sampled());
    drop(span);
    running.shutdown(PATIENCE);
    assert!(collector.spans().is_empty());
}

#[test]
fn without_variables_nothing_starts() {
    let config = |variables: &[(&str, &str)]| Config::from_settings(&settings(variables)).unwrap();
    let start = |variables: &[(&str, &str)]| tempo_otlp::start(config(variables), "c", ("r", "1")).unwrap();
    assert!(tempo_otlp::start(Config::new(), "c", ("r", "1")).unwrap().is_none());
    assert!(start(&[]).is_none());
    assert!(start(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "no such")]).is_none());
    assert!(start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"), ("OTEL_SDK_DISABLED", "true")]).is_none());
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Sink for Kept {
    fn enabled(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    fn record(&self, _: Origin<'_>, record: Record<'_>) {
        let Record::Span(span) = record else { panic!("{record:?}") };
        self.0.lock().unwrap().push(span.name.clone());
    }
}

#[test]
fn others_may_listen_and_run_beside() {
    let collector = Collector::start().unwrap();
    let (kept, here) = (Arc::new(Kept::default()), Arc::new(Mutex::new(None)));
    let reader = Arc::clone(&here);
    for variables in [vec![], vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())]] {
        let variables: Vec<_> = variables.iter().map(|(name, value): &(_, String)| (*name, value.as_str())).collect();
        let settings = settings(&variables);
        let config = Config::from_settings(&settings).unwrap();
        let builder = tempo_otlp::Builder::new(config, "c", ("r", "1"));
        let reader = reader.clone();
        let task = async move {
            *reader.lock().unwrap() = Some(tempo_otlp::is_telemetry_thread());
            std::future::pending::<()>().await;
        };
        let builder = builder.sink(kept.clone()).task(task);
        let running = builder.reader(opentelemetry_sdk::metrics::ManualReader::default()).start().unwrap().unwrap();
        let telemetry = running.telemetry();
        record_span(&telemetry, "seen");
        let scope = InstrumentationScope::default();
        telemetry.record(Origin::host(&scope), Record::Log(&LogRecord::default()));
        assert!(telemetry.instruments::<Durations>().is_some());
        super::support::until("the task runs", || here.lock().unwrap().take().is_some_and(|here| here));
        running.shutdown(PATIENCE);
        assert_eq!(*kept.0.lock().unwrap(), ["seen"]);
        kept.0.lock().unwrap().clear();
    }
    assert_eq!(collector.spans().len(), 1);
    assert!(!tempo_otlp::is_telemetry_thread());
}
