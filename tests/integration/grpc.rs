//! gRPC without TLS in both directions: tonic's client calls a component, which calls tonic's server.

use std::net::SocketAddr;

use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Reported;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;

use crate::support::{Run, Server as Runtimes, eventually};

/// A gRPC server with the health service.
struct Upstream {
    runtime: Runtime,
    reporter: HealthReporter,
    address: SocketAddr,
}

impl Upstream {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (reporter, service) = tonic_health::server::health_reporter();
        let guard = runtime.enter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        runtime.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        drop(guard);
        let upstream = Self { runtime, reporter, address };
        upstream.set("db", ServingStatus::Serving);
        upstream
    }

    fn set(&self, service: &str, status: ServingStatus) {
        self.runtime.block_on(self.reporter.set_service_status(service, status));
    }

    /// Serves the component that calls this server, which `grant` allows.
    fn serve(&self, grant: &str) -> Runtimes {
        let arguments = ["--allow-http", grant, "--env", &format!("UPSTREAM=http://{}", self.address)];
        Run::guest("grpc").args(arguments).serve()
    }

    fn client(&self, server: &Runtimes) -> HealthClient<Channel> {
        let url = format!("http://{}", server.address);
        let channel = Channel::from_shared(url).unwrap();
        HealthClient::new(self.runtime.block_on(channel.connect()).unwrap())
    }
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[test]
fn calls_and_their_errors_pass_through_a_component() {
    let upstream = Upstream::start();
    let server = upstream.serve(&format!("h2c://{}", upstream.address));
    let mut client = upstream.client(&server);
    upstream.runtime.block_on(async {
        for _ in 0..3 {
            assert_eq!(client.check(of("db")).await.unwrap().into_inner().status(), Reported::Serving);
        }
        // The status is in the trailers of the response, or in its head.
        let unknown = client.check(of("none")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound, "{unknown:?}");
    });
}

#[test]
fn a_stream_passes_through_a_component() {
    let upstream = Upstream::start();
    let server = upstream.serve(&format!("h2c://{}", upstream.address));
    let mut client = upstream.client(&server);
    let mut stream = upstream.runtime.block_on(client.watch(of("db"))).unwrap().into_inner();
    let mut next = || upstream.runtime.block_on(stream.message()).unwrap().unwrap().status();
    assert_eq!(next(), Reported::Serving);
    for status in [ServingStatus::NotServing, ServingStatus::Serving] {
        upstream.set("db", status);
        let expected = if status == ServingStatus::Serving { Reported::Serving } else { Reported::NotServing };
        assert_eq!(next(), expected);
    }
    // The component ends the stream with its status in the trailers when the upstream does.
    upstream.runtime.block_on(async { upstream.reporter.clone().clear_service_status("db").await });
    assert!(upstream.runtime.block_on(stream.message()).is_ok());
}

#[test]
fn without_an_h2c_grant_the_log_names_it() {
    let upstream = Upstream::start();
    let server = upstream.serve(&format!("http://{}", upstream.address));
    let mut client = upstream.client(&server);
    upstream.runtime.block_on(client.check(of("db"))).unwrap_err();
    let grant = format!("--allow-http h2c://{}", upstream.address);
    eventually("the log names the grant", || server.log.text().contains(&grant).then_some(()));
}
