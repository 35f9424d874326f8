//! The dashboard's OTLP receiver.

use std::io::Write as _;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::dashboard::Served;
use crate::support::{get, runtime, status};

const PROTOBUF: &str = "content-type: application/x-protobuf\r\n";

/// POSTs `body` with further `headers`, each with its line end; returns the status.
async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    // A server that rejects does not read to the end.
    let sending = async {
        if write.write_all(head.as_bytes()).await.is_ok() {
            let _ = write.write_all(body).await;
        }
    };
    let _ = tokio::join!(sending, read.read_to_end(&mut answer));
    status(&String::from_utf8_lossy(&answer))
}

fn resource(attributes: &[(&str, &str)]) -> Option<Resource> {
    let pair = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
        ..KeyValue::default()
    };
    Some(Resource { attributes: attributes.iter().map(pair).collect(), ..Resource::default() })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() })
}

/// A request with one span, named like its scope.
fn spans(attributes: &[(&str, &str)], library: &str) -> Vec<u8> {
    let span = Span { trace_id: vec![7; 16], span_id: vec![3; 8], name: library.to_owned(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { scope: scope(library), spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = ResourceSpans { resource: resource(attributes), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

fn line(text: &str) -> Vec<u8> {
    let body = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    let record = LogRecord { body, severity_number: 17, ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { scope: scope("lib"), log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = ResourceLogs { resource: resource(&[]), scope_logs, ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }.encode_to_vec()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn spans_and_lines_of_others_are_shown_with_who_sent_them() {
    let served = Served::start();
    let tempo =
        [("service.name", "second"), ("telemetry.sdk.name", "tempo-otlp"), ("process.runtime.name", "tempo-http")];
    runtime().block_on(async {
        for (attributes, library) in [(&tempo[..], "tempo-http"), (&tempo[..], "shop"), (&tempo[..1], "tempo-http")] {
            assert_eq!(post(served.address, "/v1/traces", PROTOBUF, &spans(attributes, library)).await, 200);
        }
        let headers = format!("{PROTOBUF}content-encoding: gzip\r\n");
        assert_eq!(post(served.address, "/v1/logs", &headers, &packed(&line("of another"))).await, 200);
        assert_eq!(post(served.address, "/v1/metrics", PROTOBUF, b"").await, 200);
        let recent: serde_json::Value = serde_json::from_str(&get(served.address, "/api/recent").await.1).unwrap();
        let rows = recent["spans"].as_array().unwrap();
        let made: Vec<_> = rows.iter().map(|row| [&row["service"], &row["from"], &row["scope"]]).collect();
        let expected =
            [["second", "host", "tempo-http"], ["second", "guest", "shop"], ["second", "other", "tempo-http"]];
        assert_eq!(made, expected);
        let line = &recent["lines"][0];
        let texts = ["service", "level", "target", "message"].map(|key| line[key].as_str().unwrap());
        assert_eq!(texts, ["unknown_service", "error", "lib", "of another"]);
    });
}

#[test]
fn what_is_not_otlp_is_refused_and_shown_nowhere() {
    let served = Served::start();
    let good = spans(&[], "x");
    let gzip = format!("{PROTOBUF}content-encoding: gzip\r\n");
    let zstd = format!("{PROTOBUF}content-encoding: zstd\r\n");
    runtime().block_on(async {
        // A content type that web pages may send without a preflight request.
        for kind in ["", "content-type: text/plain\r\n", "content-type: application/json\r\n"] {
            assert_eq!(post(served.address, "/v1/traces", kind, &good).await, 415, "{kind}");
        }
        let mebibytes = |count: usize| vec![0; count << 20];
        for (headers, body, expected) in [
            (PROTOBUF, b"\xff\xff".to_vec(), 400),
            (PROTOBUF, mebibytes(5), 413),
            (&gzip, packed(&mebibytes(64)), 413),
            (&gzip, good.clone(), 400),
            (&zstd, good.clone(), 415),
        ] {
            assert_eq!(post(served.address, "/v1/traces", headers, &body).await, expected, "{} bytes", body.len());
        }
        for path in ["/", "/api/recent", "/v1/other"] {
            assert_eq!(post(served.address, path, PROTOBUF, &good).await, 405, "{path}");
        }
        assert_eq!(get(served.address, "/v1/traces").await.0, 404);
        assert_eq!(get(served.address, "/api/recent").await.1, "{\"spans\":[],\"lines\":[]}");
    });
}
