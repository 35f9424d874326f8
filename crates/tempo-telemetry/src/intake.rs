//! What other programs tell the dashboard, by OTLP over HTTP: a request that goes through several runtimes on a
//! developer's machine is then one waterfall, without a collector.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::otlp_rows::{Origin, of_line, of_span};
use crate::recent::Recent;
use crate::resource::{INSTANCE, INSTANCE_ID, SDK, SDK_NAME};
use crate::server::Reply;

/// The most bytes of a request, as it is sent and as it is unpacked.
const SIZE: usize = 4 << 20;
/// No page of the web can send it without asking first, which is refused.
const PROTOBUF: &str = "application/x-protobuf";

/// Takes requests of exporters.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    recent: Recent,
}

/// Why a request is not taken.
type Refusal = (StatusCode, &'static str);

impl Intake {
    /// One that shows what it takes in `recent`.
    pub(crate) fn new(recent: Recent) -> Self {
        Self { recent }
    }

    /// Whether requests of this path are taken.
    pub(crate) fn takes(path: &str) -> bool {
        matches!(path, "/v1/traces" | "/v1/logs" | "/v1/metrics")
    }

    /// Takes a request, if it is one of OTLP, and answers it.
    pub(crate) async fn take(&self, request: Request<Incoming>) -> Reply {
        match self.try_take(request).await {
            // All of the fields of a response have their defaults: everything was taken.
            Ok(()) => Reply::new(PROTOBUF, Bytes::new()),
            Err((status, why)) => Reply::text(status, why),
        }
    }

    async fn try_take(&self, request: Request<Incoming>) -> Result<(), Refusal> {
        let (head, body) = request.into_parts();
        if header(&head.headers, &header::CONTENT_TYPE) != Some(PROTOBUF) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "OTLP is taken as http/protobuf"));
        }
        let too_large = |_| (StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB, or broken off");
        let sent = Limited::new(body, SIZE).collect().await.map_err(too_large)?.to_bytes();
        let message = match header(&head.headers, &header::CONTENT_ENCODING) {
            None | Some("identity") => sent,
            Some("gzip") => unpacked(&sent)?,
            Some(_) => return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "what is packed has to be gzip")),
        };
        match head.uri.path() {
            "/v1/traces" => self.spans(&decoded(message)?),
            "/v1/logs" => self.lines(&decoded(message)?),
            // The charts are those of this process: an exporter that sends all it has is not told off for it.
            _ => {}
        }
        Ok(())
    }

    fn spans(&self, request: &ExportTraceServiceRequest) {
        for resource in &request.resource_spans {
            let Some(sender) = Sender::of(resource.resource.as_ref()) else { continue };
            for scope in &resource.scope_spans {
                let origin = sender.origin(scope.scope.as_ref());
                let rows = scope.spans.iter().filter_map(|span| of_span(span, origin));
                rows.for_each(|(trace, row)| self.recent.add_span(trace, &row));
            }
        }
    }

    fn lines(&self, request: &ExportLogsServiceRequest) {
        for resource in &request.resource_logs {
            let Some(sender) = Sender::of(resource.resource.as_ref()) else { continue };
            for scope in &resource.scope_logs {
                let origin = sender.origin(scope.scope.as_ref());
                scope.log_records.iter().for_each(|line| self.recent.add_line(&of_line(line, origin)));
            }
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unpacked(sent: &[u8]) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let most = SIZE as u64;
    match GzDecoder::new(sent).take(most + 1).read_to_end(&mut plain) {
        Ok(length) if length <= SIZE => Ok(plain.into()),
        Ok(_) => Err((StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB when it is unpacked")),
        Err(_) => Err((StatusCode::BAD_REQUEST, "not gzip")),
    }
}

fn decoded<M: Message + Default>(message: Bytes) -> Result<M, Refusal> {
    M::decode(message).map_err(|_| (StatusCode::BAD_REQUEST, "not a request of OTLP"))
}

/// The program that sent something.
struct Sender<'a> {
    service: &'a str,
    /// The name of the runtime, if it is a Tempo.
    runtime: Option<&'a str>,
}

impl<'a> Sender<'a> {
    /// `None` if it is this very process, which shows its own already.
    fn of(resource: Option<&'a Resource>) -> Option<Self> {
        let get = |key: &str| {
            let pair = resource?.attributes.iter().find(|pair| pair.key == key)?;
            match &pair.value {
                Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.as_str()),
                _ => None,
            }
        };
        if get(INSTANCE_ID) == Some(INSTANCE.as_str()) {
            return None;
        }
        let runtime = get("process.runtime.name").filter(|_| get(SDK_NAME) == Some(SDK));
        let service = get("service.name").filter(|name| !name.is_empty()).unwrap_or("unknown_service");
        Some(Self { service, runtime })
    }

    /// A runtime's own library has the runtime's name; the others are its guest's.
    fn origin(&self, scope: Option<&'a InstrumentationScope>) -> Origin<'a> {
        let scope = scope.map(|scope| scope.name.as_str()).unwrap_or_default();
        let from = match self.runtime {
            Some(runtime) if runtime == scope => "host",
            Some(_) => "guest",
            None => "other",
        };
        Origin { from, service: self.service, scope }
    }
}
