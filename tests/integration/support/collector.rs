//! A test collector: receives OTLP over HTTP from runtimes, and shows the spans as trees.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::canary::assert_no_secret;
use super::eventually;
use super::process::Run;

/// A running collector.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    /// With the sender's `service.name`.
    spans: Vec<(String, Span)>,
    metrics: Vec<(String, Metric)>,
    logs: Vec<(String, LogRecord)>,
    /// All received bytes.
    bytes: Vec<u8>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Taken>>::default();
        let shared = taken.clone();
        // Both threads end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, taken }
    }

    /// Configures `run` to send telemetry to this collector, as the service `service`.
    pub(crate) fn configure(&self, run: Run, service: &str) -> Run {
        with_telemetry(self.address, run, service)
    }

    /// Waits until `trace` has `count` spans, and returns them as a tree: one line per span, indented, children in the
    /// order of their starts.
    pub(crate) fn tree(&self, trace: &str, count: usize) -> Vec<String> {
        let spans = || -> Vec<(String, Span)> {
            let taken = self.taken.lock().unwrap();
            taken.spans.iter().filter(|(_, span)| hex(&span.trace_id) == trace).cloned().collect()
        };
        eventually(&format!("{count} spans"), || (spans().len() >= count).then_some(()));
        lines(&spans())
    }

    /// Returns all spans, with the services that sent them.
    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        self.taken.lock().unwrap().spans.clone()
    }

    /// Waits for the first log record for which `wanted` returns true.
    pub(crate) fn log(&self, what: &str, wanted: impl Fn(&str, &LogRecord) -> bool) -> LogRecord {
        eventually(what, || {
            let taken = self.taken.lock().unwrap();
            taken.logs.iter().find(|(service, record)| wanted(service, record)).map(|(_, record)| record.clone())
        })
    }

    /// Returns the last state of the metric `name`.
    pub(crate) fn metric(&self, name: &str) -> Metric {
        eventually(name, || {
            let taken = self.taken.lock().unwrap();
            taken.metrics.iter().rev().find(|(_, metric)| metric.name == name).map(|(_, metric)| metric.clone())
        })
    }

    /// Returns true if any request contained `text`.
    pub(crate) fn has_seen(&self, text: &str) -> bool {
        let taken = self.taken.lock().unwrap();
        taken.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let Ok(taken) = self.taken.lock() else { return };
        assert_no_secret("what was sent", &String::from_utf8_lossy(&taken.bytes));
    }
}

/// Configures `run` to send telemetry to `address` without delay, as the service `service`.
pub(crate) fn with_telemetry(address: SocketAddr, run: Run, service: &str) -> Run {
    run.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("OTEL_SERVICE_NAME", service)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "100")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "200")
}

/// Returns the attribute `key` as text, for any type.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(truth) => truth.to_string(),
        other => format!("{other:?}"),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lines(spans: &[(String, Span)]) -> Vec<String> {
    let mut children: BTreeMap<Vec<u8>, Vec<&(String, Span)>> = BTreeMap::new();
    for span in spans {
        // A span without a known parent is a root.
        let known = spans.iter().any(|(_, other)| other.span_id == span.1.parent_span_id);
        children.entry(if known { span.1.parent_span_id.clone() } else { Vec::new() }).or_default().push(span);
    }
    children.values_mut().for_each(|spans| spans.sort_by_key(|(_, span)| span.start_time_unix_nano));
    let mut lines = Vec::new();
    below(&children, &[], 0, &mut lines);
    lines
}

fn below(children: &BTreeMap<Vec<u8>, Vec<&(String, Span)>>, parent: &[u8], depth: usize, lines: &mut Vec<String>) {
    for (service, span) in children.get(parent).into_iter().flatten() {
        let kind = format!("{:?}", span.kind()).to_lowercase();
        lines.push(format!("{}{service}: {} ({kind})", "  ".repeat(depth), span.name));
        below(children, &span.span_id, depth + 1, lines);
    }
}

fn serve(stream: TcpStream, taken: &Mutex<Taken>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some((path, length)) = head(&mut reader) {
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        taken.lock().unwrap().take(&path, &body);
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// Returns the path and the body length of the next request.
fn head(reader: &mut impl BufRead) -> Option<(String, usize)> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some((path, length));
        }
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}

impl Taken {
    fn take(&mut self, path: &str, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        match path {
            "/v1/traces" => {
                for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                    let service = service(resource.resource.map(|resource| resource.attributes));
                    let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                    self.spans.extend(spans.map(|span| (service.clone(), span)));
                }
            }
            "/v1/metrics" => {
                for resource in ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics {
                    let service = service(resource.resource.map(|resource| resource.attributes));
                    let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
                    self.metrics.extend(metrics.map(|metric| (service.clone(), metric)));
                }
            }
            "/v1/logs" => {
                for resource in ExportLogsServiceRequest::decode(body).unwrap().resource_logs {
                    let service = service(resource.resource.map(|resource| resource.attributes));
                    let records = resource.scope_logs.into_iter().flat_map(|scope| scope.log_records);
                    self.logs.extend(records.map(|record| (service.clone(), record)));
                }
            }
            other => panic!("something was sent to {other}"),
        }
    }
}

fn service(attributes: Option<Vec<KeyValue>>) -> String {
    attribute(&attributes.unwrap_or_default(), "service.name").unwrap_or_default()
}
