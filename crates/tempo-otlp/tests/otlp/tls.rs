//! TLS with a private authority, and with a client certificate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempo_otlp::testing::Collector;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::support::{PATIENCE, PROTOCOLS, record_span, start, until};

/// A proxy that requires the certificate of `client`, and forwards to a collector.
struct Front {
    address: SocketAddr,
    /// Failed handshakes.
    refused: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    fn start(own: &CertifiedKey<KeyPair>, client: &CertifiedKey<KeyPair>, protocol: &str, behind: SocketAddr) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(client.cert.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        // As a server with a single protocol: any other offer fails the handshake.
        config.alpn_protocols = vec![if protocol == "grpc" { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let refused = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&refused);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        counter.fetch_add(1, Relaxed);
                        return;
                    };
                    let mut behind = TcpStream::connect(behind).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        Self { address, refused, _runtime: runtime }
    }
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn both_sides_know_each_other() {
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (server, client, stranger) = (pair(), pair(), pair());
    let dir = tempfile::tempdir().unwrap();
    let authority = write(dir.path(), "authority", &server.cert.pem());
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let front = Front::start(&server, &client, protocol, collector.address());
        let endpoint = format!("https://localhost:{}", front.address.port());
        for (is_known, of) in [(true, &client), (false, &stranger)] {
            let certificate = write(dir.path(), "certificate", &of.cert.pem());
            let key = write(dir.path(), "key", &of.signing_key.serialize_pem());
            let more = [
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.as_str()),
                ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
            ];
            let running = start(&endpoint, protocol, &more);
            record_span(&running.telemetry(), "x");
            // Within the timeout of ten seconds, a rejected export has failed.
            if is_known {
                until("it arrives", || collector.spans().len() == 1);
            }
            running.shutdown(PATIENCE);
            assert_eq!(collector.spans().len(), 1);
        }
    }
}

#[test]
fn a_renewed_certificate_of_the_client_is_shown_at_the_next_connection() {
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (server, client, stranger) = (pair(), pair(), pair());
    let dir = tempfile::tempdir().unwrap();
    let authority = write(dir.path(), "authority", &server.cert.pem());
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let front = Front::start(&server, &client, protocol, collector.address());
        let endpoint = format!("https://localhost:{}", front.address.port());
        let certificate = write(dir.path(), "certificate", &stranger.cert.pem());
        let key = write(dir.path(), "key", &stranger.signing_key.serialize_pem());
        let more = [
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.as_str()),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &certificate),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key),
        ];
        let running = start(&endpoint, protocol, &more);
        record_span(&running.telemetry(), "before");
        until("the stranger is refused", || front.refused.load(Relaxed) > 0);
        write(dir.path(), "certificate", &client.cert.pem());
        write(dir.path(), "key", &client.signing_key.serialize_pem());
        until("it arrives", || {
            record_span(&running.telemetry(), "after");
            !collector.spans().is_empty()
        });
        running.shutdown(PATIENCE);
    }
}
