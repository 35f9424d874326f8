//! A gRPC service of tonic that calls another one: the standard health service, which reports the health of the services of
//! an upstream.
//!
//! Serve it with `cargo xtask run grpc -- --env UPSTREAM=http://127.0.0.1:50051 --allow-http h2c://127.0.0.1:50051`, beside a
//! gRPC server with the health service, and try `grpcurl -plaintext -d '{"service": "db"}' 127.0.0.1:8080
//! grpc.health.v1.Health/Check`.

use tempo_sdk_http::{Client, IntoResponse, Request, Uri};
use tonic::{Response, Status, Streaming, async_trait};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    tempo_sdk_http::tower::serve(HealthServer::new(Relay), request).await
}

/// Reports the health of the services of the upstream.
struct Relay;

/// Returns a client of the server that the variable `UPSTREAM` names.
fn upstream() -> Result<HealthClient<Client>, Status> {
    let url = std::env::var("UPSTREAM").map_err(|_| Status::failed_precondition("UPSTREAM is not set"))?;
    let origin: Uri = url.parse().map_err(|_| Status::failed_precondition("UPSTREAM is not a URL"))?;
    Ok(HealthClient::with_origin(Client::new(), origin))
}

#[async_trait]
impl Health for Relay {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        upstream()?.check(request.into_inner()).await
    }

    type WatchStream = Streaming<HealthCheckResponse>;

    /// Passes each change on, until the client cancels the call.
    async fn watch(&self, request: tonic::Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        upstream()?.watch(request.into_inner()).await
    }
}
