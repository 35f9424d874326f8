//! The dashboard's OTLP receiver over HTTP: it shows the traces of several runtimes on a developer's machine as one
//! waterfall, without a collector.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_otlp::{INSTANCE_ID, Reply, SDK, SDK_NAME, instance_id};
use tokio::sync::Semaphore;

use crate::convert::{Origin, of_line, of_span};
use crate::recent::Recent;
use crate::walk::{Malformed, walk};

/// Maximum size of a request, compressed and decompressed, in bytes.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Requests decoded at once; further ones wait. Each takes at most twice its size, plus its largest message.
const MAX_CONCURRENT_REQUESTS: usize = 4;
/// Timeout for receiving a request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Browsers send this content type cross-origin only after a preflight request, which is refused.
const PROTOBUF: &str = "application/x-protobuf";

/// Receives OTLP requests of other programs.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    recent: Recent,
    permits: Arc<Semaphore>,
}

/// The error response to a request.
type Refusal = (StatusCode, &'static str);

impl Intake {
    /// Creates an intake that adds spans and log records to `recent`.
    pub(crate) fn new(recent: Recent) -> Self {
        Self { recent, permits: Arc::new(Semaphore::new(MAX_CONCURRENT_REQUESTS)) }
    }

    /// Returns whether the intake accepts requests to `path`.
    pub(crate) fn accepts_path(path: &str) -> bool {
        matches!(path, "/v1/traces" | "/v1/logs" | "/v1/metrics")
    }

    /// Handles an OTLP request and returns the response.
    pub(crate) async fn handle(&self, request: Request<Incoming>) -> Reply {
        match self.try_handle(request).await {
            // An empty response message: everything was accepted.
            Ok(()) => Reply::new(PROTOBUF, Bytes::new()),
            Err((status, why)) => Reply::text(status, why),
        }
    }

    async fn try_handle(&self, request: Request<Incoming>) -> Result<(), Refusal> {
        let (head, body) = request.into_parts();
        if header(&head.headers, &header::CONTENT_TYPE) != Some(PROTOBUF) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "OTLP is taken as http/protobuf"));
        }
        let compressed = match header(&head.headers, &header::CONTENT_ENCODING) {
            None | Some("identity") => false,
            Some("gzip") => true,
            Some(_) => return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "what is compressed has to be gzip")),
        };
        let closed = |_| (StatusCode::SERVICE_UNAVAILABLE, "stopping");
        let permit = self.permits.clone().acquire_owned().await.map_err(closed)?;
        let sent = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_REQUEST_BYTES).collect()).await {
            Ok(Ok(sent)) => sent.to_bytes(),
            Ok(Err(_)) => return Err((StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB, or broken off")),
            Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "took too long to send")),
        };
        let recent = self.recent.clone();
        // Decoding must not block this thread, which also serves `/livez`.
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let message = if compressed { decompress(&sent)? } else { sent };
            read(&recent, head.uri.path(), &message)
        });
        read.await.unwrap_or(Err((StatusCode::INTERNAL_SERVER_ERROR, "cannot be read")))
    }
}

/// Decodes a request to `path` and adds its items.
pub(crate) fn read(recent: &Recent, path: &str, message: &[u8]) -> Result<(), Refusal> {
    let read = match path {
        "/v1/traces" => walk(message, Exporter::of, |exporter, scope, span: &Span| {
            if let Some((trace, row)) = of_span(span, exporter.origin(scope)) {
                recent.add_span(trace, &row);
            }
        }),
        "/v1/logs" => walk(message, Exporter::of, |exporter, scope, line: &LogRecord| {
            recent.add_line(&of_line(line, exporter.origin(scope)));
        }),
        // Metrics are accepted, so that exporters get no error, but not shown: the charts are those of this process.
        _ => Ok(()),
    };
    read.map_err(|Malformed| (StatusCode::BAD_REQUEST, "not a request of OTLP"))
}

fn header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Decompresses the body of a request.
pub(crate) fn decompress(sent: &[u8]) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    let limit = MAX_REQUEST_BYTES as u64;
    match GzDecoder::new(sent).take(limit + 1).read_to_end(&mut plain) {
        Ok(length) if length <= MAX_REQUEST_BYTES => Ok(plain.into()),
        Ok(_) => Err((StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB when decompressed")),
        Err(_) => Err((StatusCode::BAD_REQUEST, "not gzip")),
    }
}

/// The program that sent a request.
struct Exporter {
    service: String,
    /// The runtime's name, if the program is a Tempo runtime.
    runtime: Option<String>,
}

impl Exporter {
    /// Returns `None` for this process, whose items are shown already.
    fn of(resource: &Resource) -> Option<Self> {
        let get = |key: &str| {
            let pair = resource.attributes.iter().find(|pair| pair.key == key)?;
            match &pair.value {
                Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.as_str()),
                _ => None,
            }
        };
        if get(INSTANCE_ID) == Some(instance_id()) {
            return None;
        }
        let runtime = get("process.runtime.name").filter(|_| get(SDK_NAME) == Some(SDK));
        let service = get("service.name").filter(|name| !name.is_empty()).unwrap_or("unknown_service");
        Some(Self { service: service.to_owned(), runtime: runtime.map(str::to_owned) })
    }

    /// A scope with the runtime's name belongs to the host; others belong to its guest.
    fn origin<'a>(&'a self, scope: &'a InstrumentationScope) -> Origin<'a> {
        let scope = scope.name.as_str();
        let from = match self.runtime.as_deref() {
            Some(runtime) if runtime == scope => "host",
            Some(_) => "guest",
            None => "other",
        };
        Origin { from, service: &self.service, scope }
    }
}
