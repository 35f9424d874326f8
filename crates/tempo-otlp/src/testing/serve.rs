//! The collector's server: both protocols on one port.

use std::io::Read as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use flate2::read::GzDecoder;
use futures::TryFutureExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tower_service::Service as _;

use super::{Answer, Head, ReceivedRequests, State, lock};
use crate::otlp::wire;

type Body = UnsyncBoxBody<Bytes, Status>;

/// Serves until dropped.
pub(super) async fn serve(listener: TcpListener, state: State) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(|request| exchange(request, state.clone()).map_err(std::io::Error::other));
            // Tests may close connections prematurely.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn exchange(request: Request<Incoming>, state: State) -> Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let (version, headers) = (request.version(), request.headers().clone());
    let head = Head { at: Instant::now(), path: path.clone(), version, headers };
    lock(&state).heads.push(head);
    let service = Service(state.clone());
    Ok(match path.as_str() {
        "/v1/traces" => http::<ExportTraceServiceRequest>(request, &state).await?,
        "/v1/metrics" => http::<ExportMetricsServiceRequest>(request, &state).await?,
        "/v1/logs" => http::<ExportLogsServiceRequest>(request, &state).await?,
        path if path.contains("TraceService") => {
            let mut server = TraceServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
            server.call(request).await?.map(BodyExt::boxed_unsync)
        }
        path if path.contains("MetricsService") => {
            let mut server = MetricsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
            server.call(request).await?.map(BodyExt::boxed_unsync)
        }
        path if path.contains("LogsService") => {
            let mut server = LogsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
            server.call(request).await?.map(BodyExt::boxed_unsync)
        }
        _ => Response::builder().status(404).body(full(Vec::new()))?,
    })
}

/// Handles a request over HTTP.
async fn http<R: Export>(request: Request<Incoming>, state: &State) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    anyhow::ensure!(head.headers.get(CONTENT_TYPE).is_some_and(|value| value == "application/x-protobuf"));
    let sent = body.collect().await?.to_bytes();
    let mut plain = Vec::new();
    match head.headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding == "gzip" => drop(GzDecoder::new(&*sent).read_to_end(&mut plain)?),
        _ => plain.extend_from_slice(&sent),
    }
    let message = R::decode(plain.as_slice()).context("not a request of OTLP")?;
    Ok(match take(state, message).await {
        Ok(response) => {
            let builder = Response::builder().header(CONTENT_TYPE, "application/x-protobuf");
            builder.body(full(response.encode_to_vec()))?
        }
        Err(Refusal { status, retry_after, .. }) => {
            let mut builder = Response::builder().status(status);
            if let Some(seconds) = retry_after {
                builder = builder.header(RETRY_AFTER, seconds);
            }
            builder.body(full(Vec::new()))?
        }
    })
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// Why a request is rejected.
struct Refusal {
    status: u16,
    code: i32,
    retry_after: Option<u64>,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut details = Vec::new();
        if let Some(seconds) = refusal.retry_after {
            // google.rpc.Status { details: [Any { type_url, value: RetryInfo { retry_delay: Duration { seconds } } }] }
            let (mut delay, mut info, mut any) = (vec![1 << 3], Vec::new(), Vec::new());
            wire::varint(&mut delay, seconds);
            wire::bytes(&mut info, 1, &delay);
            wire::bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            wire::bytes(&mut any, 2, &info);
            wire::bytes(&mut details, 3, &any);
        }
        Self::with_details(Code::from_i32(refusal.code), "as configured by the test", details.into())
    }
}

/// Handles a request as the test configured.
async fn take<R: Export>(state: &State, request: R) -> Result<R::Response, Refusal> {
    let answer = lock(state).answer.clone();
    let response = match answer {
        Answer::Take => R::Response::default(),
        Answer::Partly(rejected) => R::partly(rejected),
        Answer::Slowly(wait) => {
            tokio::time::sleep(wait).await;
            R::Response::default()
        }
        Answer::Refuse { http, grpc, retry_after } => {
            return Err(Refusal { status: http, code: grpc, retry_after });
        }
    };
    request.keep(&mut lock(state));
    Ok(response)
}

/// Common operations of the three signals' requests.
trait Export: Message + Default {
    type Response: Message + Default;

    fn keep(self, received: &mut ReceivedRequests);
    fn partly(rejected: i64) -> Self::Response;
}

struct Service(State);

macro_rules! export {
    ($request:ident, $response:ident, $partial:ident, $rejected:ident, $kept:ident, $service:ident) => {
        impl Export for $request {
            type Response = $response;

            fn keep(self, received: &mut ReceivedRequests) {
                received.$kept.push(self);
            }

            fn partly(rejected: i64) -> $response {
                let error_message = "as configured by the test".to_owned();
                $response { partial_success: Some($partial { $rejected: rejected, error_message }) }
            }
        }

        #[async_trait::async_trait]
        impl $service for Service {
            async fn export(&self, request: tonic::Request<$request>) -> Result<tonic::Response<$response>, Status> {
                let response = take(&self.0, request.into_inner()).await?;
                Ok(tonic::Response::new(response))
            }
        }
    };
}

export!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    ExportTracePartialSuccess,
    rejected_spans,
    traces,
    TraceService
);
export!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    ExportMetricsPartialSuccess,
    rejected_data_points,
    metrics,
    MetricsService
);
export!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    ExportLogsPartialSuccess,
    rejected_log_records,
    logs,
    LogsService
);
