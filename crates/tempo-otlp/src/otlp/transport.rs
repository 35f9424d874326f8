//! `Transport`: sends one request to a collector and reads its response, over either protocol.

use std::error::Error as StdError;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;

use super::{grpc, http as otlp_http};
use crate::otlp::connect::Connector;
use crate::otlp::exporter::{Exporter, Protocol};
use crate::otlp::request::{self, Payload};
use crate::otlp::retry::{ExportOutcome, sanitized};

/// Maximum size of a response body, in bytes.
pub(crate) const MAX_RESPONSE: usize = 64 * 1024;
/// Maximum size of a response head, in bytes; hyper panics below 8 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// Send buffer of HTTP/2, in bytes.
const SEND_BUFFER: usize = 64 * 1024;

/// By the OTLP specification: exporter, language and version.
const AGENT: &str = concat!("OTel-OTLP-Exporter-Rust-Tempo/", env!("CARGO_PKG_VERSION"));

/// The connection to one signal's collector.
pub(crate) struct Transport {
    client: Client<Connector, Payload>,
    protocol: Protocol,
    uri: Uri,
    headers: HeaderMap,
    gzip: bool,
}

/// A collector's response.
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
    /// True if the body was complete.
    pub(crate) complete: bool,
}

impl Transport {
    /// Creates a transport. It connects on the first request, and must stay on one thread, within a tokio runtime.
    pub(crate) fn new(exporter: &Exporter) -> Self {
        let grpc = exporter.protocol == Protocol::Grpc;
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .http2_only(grpc)
            .http1_max_buf_size(MAX_HEAD)
            .http2_max_header_list_size(MAX_HEAD as u32)
            .http2_initial_stream_window_size(MAX_RESPONSE as u32)
            .http2_initial_connection_window_size(MAX_RESPONSE as u32)
            .http2_max_send_buf_size(SEND_BUFFER)
            .build(Connector::new(exporter.tls.clone()));
        let mut headers = exporter.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let content_type = if grpc { grpc::CONTENT_TYPE } else { otlp_http::CONTENT_TYPE };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        match (grpc, exporter.gzip) {
            (true, true) => drop(headers.insert(grpc::ENCODING, HeaderValue::from_static("gzip"))),
            (false, true) => drop(headers.insert(http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))),
            (_, false) => {}
        }
        if grpc {
            headers.insert(http::header::TE, HeaderValue::from_static("trailers"));
        }
        Self { client, protocol: exporter.protocol, uri: exporter.uri.clone(), headers, gzip: exporter.gzip }
    }

    /// Returns the collector's name for the log: without path and query, which may contain keys.
    pub(crate) fn name(&self) -> String {
        let (scheme, authority) = (self.uri.scheme_str().unwrap_or_default(), self.uri.authority());
        format!("{scheme}://{}", authority.map_or("", |authority| authority.as_str()))
    }

    /// Creates the body of a request with the message in `parts`. It can be sent repeatedly.
    pub(crate) fn payload(&self, parts: Vec<Bytes>) -> std::io::Result<Payload> {
        let parts = if self.gzip { request::gzip(&parts)? } else { parts };
        Ok(match self.protocol {
            Protocol::Grpc => Payload::new(std::iter::once(grpc::prefix(self.gzip, &parts)).chain(parts)),
            Protocol::Http => Payload::new(parts),
        })
    }

    /// Sends `payload` once, without a timeout: dropping the future cancels it.
    pub(crate) async fn send(&self, payload: Payload) -> ExportOutcome {
        let mut request = Request::new(payload);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return ExportOutcome::no_response(cause(&error)),
        };
        let (head, body) = response.into_parts();
        let mut answer = Answer { head, body: Bytes::new(), trailers: HeaderMap::new(), complete: false };
        read(body, &mut answer).await;
        match self.protocol {
            Protocol::Grpc => grpc::outcome(&answer),
            Protocol::Http => otlp_http::outcome(&answer),
        }
    }
}

/// Reads the body up to [`MAX_RESPONSE`].
async fn read(mut body: Incoming, answer: &mut Answer) {
    let mut data = BytesMut::new();
    answer.complete = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(part) if data.len() + part.len() > MAX_RESPONSE => break false,
                Ok(part) => data.extend_from_slice(&part),
                Err(frame) => answer.trailers.extend(frame.into_trailers().into_iter().flatten()),
            },
        }
    };
    answer.body = data.freeze();
}

/// Decodes the response to an accepted request. All signals have the same response fields.
pub(crate) fn taken(message: &[u8]) -> ExportOutcome {
    let partial = ExportMetricsServiceResponse::decode(message).ok().and_then(|response| response.partial_success);
    let (rejected, message) = partial.map_or((0, String::new()), |partial| {
        (u64::try_from(partial.rejected_data_points).unwrap_or(0), sanitized(&partial.error_message))
    });
    ExportOutcome::Accepted { rejected, message }
}

/// Returns the last error of a chain, which is the specific one: `Connection refused` rather than `client error
/// (Connect)`.
fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    sanitized(&last.to_string())
}
