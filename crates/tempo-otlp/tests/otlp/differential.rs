//! Spans sent by OpenTelemetry's own exporter and by Tempo's are equal at the collector.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, SpanId, StringValue, TraceId, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tempo_otlp::testing::{Collector, Received};

use super::support::{PATIENCE, PROTOCOLS, start};

fn context(number: u64, state: &str, remote: bool) -> SpanContext {
    let state = state.parse().unwrap_or(TraceState::NONE);
    let trace = TraceId::from(u128::from(number) << 64 | 7);
    SpanContext::new(trace, SpanId::from(number), TraceFlags::SAMPLED, remote, state)
}

/// The year 2100. A span never ends before its start, so the test determines both times.
const FUTURE: Duration = Duration::from_secs(130 * 365 * 24 * 60 * 60);

/// A host span with every kind of attribute, link and status.
fn spans() -> Vec<SpanData> {
    let values = [
        Value::Bool(false),
        Value::Bool(true),
        Value::I64(0),
        Value::I64(i64::MIN),
        Value::F64(-0.0),
        Value::F64(f64::MAX),
        Value::String("".into()),
        Value::String("é".repeat(70_000).into()),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::I64(vec![])),
        Value::Array(Array::I64(vec![0, -1, 300])),
        Value::Array(Array::F64(vec![0.0, 1.5])),
        Value::Array(Array::String(vec![StringValue::from(""), "b".into()])),
    ];
    let attributes: Vec<_> =
        values.into_iter().enumerate().map(|(n, value)| KeyValue::new(format!("k{n}"), value)).collect();
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let statuses = [Status::Unset, Status::Ok, Status::error(""), Status::error("why")];
    (0..20_u64)
        .map(|number| (number, FUTURE + Duration::from_nanos(number * 1_000_000_007)))
        .map(|(number, time)| {
            let mut links = SpanLinks::default();
            let contexts = (0..number % 3).map(|link| context(link + 9, "x=y", link == 1));
            links.links = contexts.map(|context| Link::new(context, Vec::new(), 0)).collect();
            SpanData {
                span_context: context(number + 1, if number % 3 == 0 { "a=1,b@c=2" } else { "" }, false),
                parent_span_id: if number % 2 == 0 { SpanId::INVALID } else { SpanId::from(number) },
                parent_span_is_remote: number % 4 == 1,
                span_kind: kinds[number as usize % kinds.len()].clone(),
                name: if number == 3 { "".into() } else { format!("span {number}").into() },
                start_time: UNIX_EPOCH + time,
                end_time: UNIX_EPOCH + time,
                attributes: attributes.iter().take(number as usize).cloned().collect(),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links,
                status: statuses[number as usize % statuses.len()].clone(),
                instrumentation_scope: InstrumentationScope::builder("tempo-test").with_version("1.2.3").build(),
            }
        })
        .collect()
}

fn by_the_sdk(collector: &Collector, protocol: &str) -> Vec<Received<Span>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exporter = match protocol {
            "grpc" => SpanExporter::builder().with_tonic().with_endpoint(collector.endpoint()).build(),
            _ => {
                let client = opentelemetry_http::hyper::HyperClient::with_default_connector(PATIENCE, None);
                let endpoint = format!("{}/v1/traces", collector.endpoint());
                let builder = SpanExporter::builder().with_http().with_http_client(client);
                builder.with_protocol(Protocol::HttpBinary).with_endpoint(endpoint).build()
            }
        };
        exporter.unwrap().export(spans()).await.unwrap();
    });
    collector.spans()
}

#[test]
fn both_exporters_send_the_same() {
    for protocol in PROTOCOLS {
        let theirs = by_the_sdk(&Collector::start().unwrap(), protocol);
        let collector = Collector::start().unwrap();
        let running = start(&collector.endpoint(), protocol, &[]);
        let telemetry = running.telemetry();
        for data in spans() {
            // As for a finished host span, but with the IDs and times of the test.
            let mut span = telemetry.start(SpanKind::Internal, None, || "".into()).unwrap();
            *span.data().unwrap() = data;
        }
        let ours = collector.wait_for("all spans", |c| Some(c.spans()).filter(|spans| spans.len() == theirs.len()));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.scope, theirs.scope);
            assert_eq!(ours.schema_url, theirs.schema_url);
            assert_eq!(ours.item, theirs.item, "{}", theirs.item.name);
        }
        running.shutdown(PATIENCE);
    }
}
