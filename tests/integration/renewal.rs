//! Certificates and credentials that change while a program runs. A half-written file changes nothing.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use nkeys::KeyPair;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tempfile::TempDir;

use crate::support::admin::Admin;
use crate::support::nats::Nats;
use crate::support::tls::Certificate;
use crate::support::{Client, PATIENCE, Run, Server, eventually, get};

/// The log line of an unusable file.
const KEPT: &str = "the previous value stays in use";

/// A server with the certificate in files of the test.
fn serve_tls(certificate: &Certificate) -> Server {
    let files =
        ["--tls-cert".into(), certificate.cert().into_os_string(), "--tls-key".into(), certificate.key().into()];
    Run::guest("hello").args(files).serve()
}

/// Returns true if the server presents `certificate` in a handshake.
fn shows(server: &Server, certificate: &Certificate) -> bool {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(certificate.client(&[]), name).unwrap();
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn the_certificate_of_the_server() {
    let (served, next) = (Certificate::new(), Certificate::new());
    let server = serve_tls(&served);
    let (mut open, _) = served.connect(&server, &["http/1.1"]);
    assert_eq!(open.get("/").status, 200);
    assert!(!shows(&server, &next));

    // The new certificate with the old key.
    fs::copy(next.cert(), served.cert()).unwrap();
    eventually("the two files do not fit", || {
        assert!(shows(&server, &served));
        (server.log.count(KEPT) > 0).then_some(())
    });
    server.log.wait_for("--tls-cert and --tls-key cannot be used");
    fs::copy(next.key(), served.key()).unwrap();
    eventually("the new certificate", || shows(&server, &next).then_some(()));
    assert!(!shows(&server, &served));
    assert_eq!(open.get("/").status, 200, "an open connection stays");
    assert_eq!(server.log.count(KEPT), 1);
}

#[test]
fn the_authorities_of_outgoing_requests() {
    let (other, certificate) = (Certificate::new(), Certificate::new());
    let upstream = serve_tls(&certificate);
    let url = format!("https://localhost:{}", upstream.address.port());
    let authorities = other.cert();
    let server = Run::guest("hostile")
        .args(["--allow-http", &url, "--allow-http-address", "127.0.0.0/8"])
        .args(["--http-ca".into(), authorities.clone().into_os_string()])
        .serve();
    let fetch = || get(server.address, &format!("/fetch?url={url}/")).text();
    assert!(!fetch().starts_with("200"));

    let renewed = fs::read_to_string(certificate.cert()).unwrap();
    fs::write(&authorities, &renewed[..renewed.len() / 2]).unwrap();
    eventually("half a file", || {
        assert!(!fetch().starts_with("200"));
        (server.log.count(KEPT) > 0).then_some(())
    });
    fs::write(&authorities, &renewed).unwrap();
    eventually("the new authority", || fetch().starts_with("200").then_some(()));
    assert_eq!(server.log.count(KEPT), 1);
}

#[test]
fn the_authorities_of_a_collector() {
    let (other, certificate) = (Certificate::new(), Certificate::new());
    // Responds to every request and closes the connection, so that each request needs a new one.
    let files =
        ["--tls-cert".into(), certificate.cert().into_os_string(), "--tls-key".into(), certificate.key().into()];
    let collector = Run::guest("hello").args(files).args(["--idle-timeout", "1ms", "--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&collector);
    let taken = || -> u64 {
        let page = admin.get("/metrics").text();
        let counts = page.lines().filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let authorities = other.cert();
    let sending = Run::guest("hello")
        .env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("https://localhost:{}", collector.address.port()))
        .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &authorities)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
        .serve();

    let renewed = fs::read_to_string(certificate.cert()).unwrap();
    fs::write(&authorities, &renewed[..renewed.len() / 2]).unwrap();
    let line = sending.log.wait_for(KEPT);
    assert!(line.contains("OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be used: "), "{line}");
    assert_eq!(taken(), 0);
    fs::write(&authorities, &renewed).unwrap();
    eventually("the new authority", || (taken() > 0).then_some(()));
    fs::remove_file(&authorities).unwrap();
    eventually("no file", || (sending.log.count(KEPT) == 2).then_some(()));
    let before = taken();
    eventually("the last good one stays", || (taken() > before).then_some(()));
}

#[test]
fn the_nkey_of_a_connection_to_nats() {
    let (first, second) = (KeyPair::new_user(), KeyPair::new_user());
    let admits = |key: &KeyPair| format!("authorization {{ users: [{{ nkey: {} }}] }}", key.public_key());
    let mut nats = Nats::start_with(&admits(&first));
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("user.nk");
    fs::write(&file, first.seed().unwrap()).unwrap();
    let server = Run::guest("keyvalue-conformance")
        .args(["--keyvalue", &nats.url("app")])
        .args(["--nats-nkey".into(), file.clone().into_os_string()])
        .serve();
    let put = || Client::connect(server.address).put("/value?key=a", "1").status;
    assert_eq!(put(), 200);

    nats.kill();
    nats.restart_with(&admits(&second));
    server.log.wait_for("no connection yet: authorization violation; check --nats-creds, --nats-nkey");
    let seed = second.seed().unwrap();
    fs::write(&file, &seed[..seed.len() / 2]).unwrap();
    server.log.wait_for(KEPT);
    fs::write(&file, &seed).unwrap();
    eventually("the renewed key", || (put() == 200).then_some(()));
    let said = server.log.text();
    assert!(!said.contains(&seed) && !said.contains(&first.seed().unwrap()), "{said}");
    assert_eq!((server.log.count(KEPT), server.log.count("no connection yet")), (1, 1), "{said}");
}

/// The NATS client reads these files itself for each attempt: a half-written file fails that attempt only.
#[test]
fn the_certificates_of_a_connection_to_nats() {
    let (served, own) = (Certificate::new(), Certificate::new());
    let configuration = |served: &Certificate, own: &Certificate| {
        let files = [served.cert(), served.key(), own.cert()].map(|path| path.to_str().unwrap().to_owned());
        let [certificate, key, authority] = files;
        format!("tls {{ cert_file: '{certificate}', key_file: '{key}', ca_file: '{authority}', verify: true }}")
    };
    let mut nats = Nats::start_with(&configuration(&served, &own));
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    let copy = |from: PathBuf, name: &str| fs::copy(from, file(name)).map(drop).unwrap();
    copy(served.cert(), "ca");
    copy(own.cert(), "cert");
    copy(own.key(), "key");
    let server = Run::guest("keyvalue-conformance")
        .args(["--keyvalue", &format!("tls://localhost:{}/app", nats.address.port())])
        .args(["--nats-ca".into(), file("ca"), "--nats-cert".into(), file("cert"), "--nats-key".into(), file("key")])
        .serve();
    let put = || Client::connect(server.address).put("/value?key=a", "1").status;
    assert_eq!(put(), 200);

    for (round, half) in ["ca", "cert", "key"].into_iter().enumerate() {
        let (served, own) = (Certificate::new(), Certificate::new());
        nats.kill();
        copy(served.cert(), "ca");
        copy(own.cert(), "cert");
        copy(own.key(), "key");
        let whole = fs::read(file(half)).unwrap();
        fs::write(file(half), &whole[..whole.len() / 2]).unwrap();
        nats.restart_with(&configuration(&served, &own));
        let refused = || server.log.count("no connection yet: TLS error; check --nats-ca, --nats-cert and --nats-key");
        eventually(half, || (refused() == round + 1).then_some(()));
        fs::write(file(half), &whole).unwrap();
        eventually("the renewed files", || (put() == 200).then_some(()));
    }
}
