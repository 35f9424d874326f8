//! What other programs tell the dashboard, by OTLP over HTTP: a request that goes through several runtimes on a
//! developer's machine is then one waterfall, without a collector.

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
use tokio::sync::Semaphore;

use crate::otlp_rows::{Origin, of_line, of_span};
use crate::otlp_walk::{Malformed, walk};
use crate::recent::Recent;
use crate::resource::{INSTANCE, INSTANCE_ID, SDK, SDK_NAME};
use crate::server::Reply;

/// The most bytes of a request, as it is sent and as it is unpacked.
const SIZE: usize = 4 << 20;
/// Requests that are read at once; more wait. Each takes twice its size at most, and the largest message in it.
const AT_ONCE: usize = 4;
/// To send a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// No page of the web can send it without asking first, which is refused.
const PROTOBUF: &str = "application/x-protobuf";

/// Takes requests of exporters.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    recent: Recent,
    places: Arc<Semaphore>,
}

/// Why a request is not taken.
type Refusal = (StatusCode, &'static str);

impl Intake {
    /// One that shows what it takes in `recent`.
    pub(crate) fn new(recent: Recent) -> Self {
        Self { recent, places: Arc::new(Semaphore::new(AT_ONCE)) }
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
        let packed = match header(&head.headers, &header::CONTENT_ENCODING) {
            None | Some("identity") => false,
            Some("gzip") => true,
            Some(_) => return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "what is packed has to be gzip")),
        };
        let closed = |_| (StatusCode::SERVICE_UNAVAILABLE, "stopping");
        let place = self.places.clone().acquire_owned().await.map_err(closed)?;
        let sent = match tokio::time::timeout(PATIENCE, Limited::new(body, SIZE).collect()).await {
            Ok(Ok(sent)) => sent.to_bytes(),
            Ok(Err(_)) => return Err((StatusCode::PAYLOAD_TOO_LARGE, "more than 4 MiB, or broken off")),
            Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "took too long to send")),
        };
        let recent = self.recent.clone();
        // The thread of this task answers `/livez` as well.
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            let message = if packed { unpacked(&sent)? } else { sent };
            read(&recent, head.uri.path(), &message)
        });
        read.await.unwrap_or(Err((StatusCode::INTERNAL_SERVER_ERROR, "cannot be read")))
    }
}

/// Shows a request of `path`.
fn read(recent: &Recent, path: &str, message: &[u8]) -> Result<(), Refusal> {
    let read = match path {
        "/v1/traces" => walk(message, Sender::of, |sender, scope, span: &Span| {
            if let Some((trace, row)) = of_span(span, sender.origin(scope)) {
                recent.add_span(trace, &row);
            }
        }),
        "/v1/logs" => walk(message, Sender::of, |sender, scope, line: &LogRecord| {
            recent.add_line(&of_line(line, sender.origin(scope)));
        }),
        // The charts are those of this process: an exporter may send its metrics along, and gets no error.
        _ => Ok(()),
    };
    read.map_err(|Malformed| (StatusCode::BAD_REQUEST, "not a request of OTLP"))
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

/// The program that sent something.
struct Sender {
    service: String,
    /// The name of the runtime, if it is a Tempo.
    runtime: Option<String>,
}

impl Sender {
    /// `None` if it is this very process, which shows its own already.
    fn of(resource: &Resource) -> Option<Self> {
        let get = |key: &str| {
            let pair = resource.attributes.iter().find(|pair| pair.key == key)?;
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
        Some(Self { service: service.to_owned(), runtime: runtime.map(str::to_owned) })
    }

    /// A runtime's own library has the runtime's name; the others are its guest's.
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
