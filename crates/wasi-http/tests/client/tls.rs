//! HTTPS: trusted authorities, and HTTP/2.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use http_body_util::BodyExt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tempo_wasi_http::{Client, ClientConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::{Error, RequestOptions};

use crate::support::{
    channel, client_with, configured, data, echo_body, echo_head, empty, fetch, full, get, post, refused, serve_with,
};

/// A private certificate authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// Creates an acceptor with a certificate for `name`.
    pub(super) fn acceptor(&self, name: &str, alpn: &[&str]) -> TlsAcceptor {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).unwrap().into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    pub(super) fn client(&self) -> Client {
        trusting(configured(|config| config.ca_files = vec![self.file.path().to_owned()]))
    }
}

fn trusting(config: ClientConfig) -> Client {
    client_with(config, &["https://*:*"], &["127.0.0.0/8"])
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_given() {
    let authority = Authority::new();
    for (name, host) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0x7f.1")] {
        let server = serve_with(Some(authority.acceptor(name, &["http/1.1"])), echo_head).await;
        let url = format!("https://{host}:{}/x", server.address.port());
        let (_, seen) = fetch(&authority.client(), get(&url)).await;
        assert!(seen.starts_with(&format!("GET /x HTTP/1.1\nhost: {name}:")), "{seen}");
    }
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused() {
    let authority = Authority::new();
    let server = serve_with(Some(authority.acceptor("localhost", &[])), echo_head).await;
    let port = server.address.port();
    let unknown = refused(&trusting(ClientConfig::default()), get(format!("https://localhost:{port}/"))).await;
    assert!(matches!(unknown, Error::TlsCertificateError), "{unknown:?}");
    let other_name = refused(&authority.client(), get(format!("https://127.0.0.1:{port}/"))).await;
    assert!(matches!(other_name, Error::TlsCertificateError), "{other_name:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_a_protocol_error() {
    let server = serve_with(None, echo_head).await;
    let url = format!("https://{}/", server.address);
    let error = refused(&trusting(ClientConfig::default()), get(url)).await;
    assert!(matches!(error, Error::TlsProtocolError | Error::ConnectionTerminated), "{error:?}");
}

#[tokio::test]
async fn an_alert_is_passed_on() {
    let authority = Authority::new();
    let server = serve_with(Some(authority.acceptor("localhost", &["nothing-we-speak"])), echo_head).await;
    let error = refused(&authority.client(), get(format!("https://localhost:{}/", server.address.port()))).await;
    assert!(matches!(error, Error::TlsAlertReceived { alert_id: Some(120), .. }), "{error:?}");
}

#[tokio::test]
async fn a_handshake_that_stalls_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let config = configured(|config| config.tls_timeout = Duration::from_millis(100));
    let error = refused(&trusting(config), get(&url)).await;
    assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
    let options = RequestOptions { connect_timeout: Some(Duration::from_millis(100)), ..RequestOptions::default() };
    let shortened = trusting(ClientConfig::default()).send(get(&url), Some(options)).await;
    assert!(matches!(shortened, Err(Error::ConnectionTimeout)));
}

#[tokio::test]
async fn http2_is_negotiated_and_one_connection_carries_many_requests() {
    let authority = Authority::new();
    let server = serve_with(Some(authority.acceptor("localhost", &["h2", "http/1.1"])), echo_body).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let client = authority.client();
    let (parts, _) = fetch(&client, get(&url)).await;
    assert_eq!(parts.version, Version::HTTP_2);
    let mut open = Vec::new();
    for _ in 0..10 {
        let (sender, body) = channel();
        sender.send(data("one")).await.unwrap();
        let (response, transmission) = client.send(post(&url, body), None).await.unwrap();
        open.push((sender, response.into_body(), transmission));
    }
    for (sender, mut body, transmission) in open {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        sender.send(data("two")).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
        drop(sender);
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
        transmission.await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn http2_requests_carry_the_authority_and_nothing_of_a_connection() {
    let authority = Authority::new();
    let server = serve_with(Some(authority.acceptor("localhost", &["h2"])), |request: Request<_>| async move {
        let host = request.uri().authority().unwrap().to_string();
        let fields = request.headers().len();
        http::Response::new(full(format!("{host} {fields}")))
    })
    .await;
    let url = format!("https://LocalHost:{}/", server.address.port());
    let request = Request::get(&url)
        .header("host", "evil.test")
        .header("connection", "keep-alive")
        .header("transfer-encoding", "chunked")
        .header("te", "gzip")
        .body(empty())
        .unwrap();
    let (_, seen) = fetch(&authority.client(), request).await;
    assert_eq!(seen, format!("localhost:{} 0", server.address.port()));
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_fails_over_http2_too() {
    let authority = Authority::new();
    let server = serve_with(Some(authority.acceptor("localhost", &["h2"])), echo_body).await;
    let url = format!("https://localhost:{}/", server.address.port());
    for length in ["2", "4"] {
        let (sender, body) = channel();
        sender.send(data("one")).await.unwrap();
        drop(sender);
        let request = Request::post(&url).header("content-length", length).body(body).unwrap();
        let outcome = match authority.client().send(request, None).await {
            Err(error) => error,
            Ok((_response, transmission)) => transmission.await.unwrap_err(),
        };
        assert!(matches!(outcome, Error::HttpRequestBodySize(Some(3))), "{length}: {outcome:?}");
    }
}
