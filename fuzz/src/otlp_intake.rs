//! The OTLP receiver of the dashboard, compared with a decoder of whole requests.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tempo_dashboard::{Recent, fuzzing};

use crate::input::check_message;
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "otlp_intake",
    run,
    seeds,
    tokens: &[
        "\x0a\x00",
        "\x12\x00",
        "\x0a",
        "\x12",
        "\x1a",
        "\x7f",
        "\u{7ff}",
        "service.name",
        "process.runtime.name",
        "<b>",
        "telemetry.sdk.name",
        "tempo",
        "\u{202e}",
        "\"",
        "\0",
    ],
};

/// The maximum length of a row, in bytes: 16 KiB of texts, escaped, with names and empty attributes around them.
const MAX_ROW_BYTES: usize = 256 << 10;

/// Receives a request of spans or log records, by its first byte, as it is and compressed.
pub fn run(data: &[u8]) -> Outcome {
    let (kind, body) = data.split_first().unwrap_or((&0, &[]));
    let path = if kind & 1 == 0 { "/v1/traces" } else { "/v1/logs" };
    let recent = Recent::default();
    let result = fuzzing::receive(&recent, path, false, body);
    let (spans, lines) = fuzzing::rows(&recent);
    for row in spans.iter().chain(&lines) {
        assert!(row.len() <= MAX_ROW_BYTES && !row.contains('\n'), "{row}");
        let json: serde_json::Value = serde_json::from_str(row).expect("a row is JSON");
        assert!(json.is_object(), "{row}");
    }
    let compressed = Recent::default();
    assert_eq!(fuzzing::receive(&compressed, path, true, &gzip(body)), result);
    assert_eq!(fuzzing::rows(&compressed), (spans.clone(), lines.clone()));
    // Bytes that are no gzip are refused before they are decoded.
    let _ = fuzzing::receive(&Recent::default(), path, true, body);
    if let Err((status, text)) = result {
        assert!(status.is_client_error());
        check_message(text);
        return Outcome::Refused;
    }
    if let Some(expected) = count(kind & 1 == 0, body) {
        assert_eq!((spans.len(), lines.len()), expected);
    }
    Outcome::Accepted
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory")
}

/// Returns the number of spans with valid IDs and of log records, if a decoder accepts the whole request.
fn count(is_traces: bool, body: &[u8]) -> Option<(usize, usize)> {
    if is_traces {
        let request = ExportTraceServiceRequest::decode(body).ok()?;
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let is_id = |id: &[u8], length| id.len() == length && id.iter().any(|byte| *byte != 0);
        let is_valid = |span: &&Span| is_id(&span.trace_id, 16) && is_id(&span.span_id, 8);
        Some((scopes.flat_map(|scope| &scope.spans).filter(is_valid).count(), 0))
    } else {
        let request = ExportLogsServiceRequest::decode(body).ok()?;
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        Some((0, scopes.flat_map(|scope| &scope.log_records).count()))
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let value = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    let attribute = |key: &str| KeyValue { key: key.to_owned(), value: value("x"), ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![attribute("service.name")], ..Resource::default() });
    let scope = Some(InstrumentationScope { name: "library".to_owned(), ..InstrumentationScope::default() });
    let event = Event { name: "event".to_owned(), attributes: vec![attribute("k")], ..Event::default() };
    let span = |id: u8| Span {
        trace_id: vec![id; 16],
        span_id: vec![id; 8],
        name: "span".to_owned(),
        attributes: vec![attribute("a")],
        events: vec![event.clone()],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { scope: scope.clone(), spans: vec![span(1), span(2)], ..ScopeSpans::default() }];
    let spans = ResourceSpans { resource: resource.clone(), scope_spans, ..ResourceSpans::default() };
    let record = LogRecord { body: value("<b>line</b>"), attributes: vec![attribute("a")], ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { scope, log_records: vec![record], ..ScopeLogs::default() }];
    let logs = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
    let traces = ExportTraceServiceRequest { resource_spans: vec![spans] }.encode_to_vec();
    let logs = ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec();
    vec![[vec![0], traces].concat(), [vec![1], logs].concat()]
}
