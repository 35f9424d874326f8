//! TLS: ALPN selects the protocol.

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::support::h2::{block_on, get, handshake};
use crate::support::tls::Certificate;
use crate::support::{Client, Run, Server, get as plain};

fn serve(certificate: &Certificate, guest: &str) -> Server {
    let files =
        ["--tls-cert".into(), certificate.cert().into_os_string(), "--tls-key".into(), certificate.key().into()];
    Run::guest(guest).args(files).serve()
}

#[test]
fn http_1_1_with_and_without_alpn() {
    let certificate = Certificate::new();
    let server = serve(&certificate, "hostile");
    assert_eq!(server.scheme, "https");
    for protocols in [&["http/1.1"][..], &[]] {
        let (mut client, chosen) = certificate.connect(&server, protocols);
        assert_eq!(chosen.as_deref(), protocols.first().copied());
        assert_eq!(client.get("/head").text(), "GET https://example.test/head\n");
        assert_eq!(client.post("/echo", vec![b'x'; 100_000]).body.len(), 100_000);
    }
}

#[test]
fn http_2_by_alpn() {
    let certificate = Certificate::new();
    let server = serve(&certificate, "hello");
    block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let connector = TlsConnector::from(certificate.client(&["h2", "http/1.1"]));
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let mut sender = handshake(stream).await;
        assert_eq!(get(&mut sender, "/").await, (200, "Hello from Tempo!\n".to_owned()));
    });
}

#[test]
fn a_client_without_tls_harms_nobody() {
    let certificate = Certificate::new();
    let server = serve(&certificate, "hello");
    let mut client = Client::connect(server.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.rest().unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let (mut client, _) = certificate.connect(&server, &["http/1.1"]);
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let certificate = Certificate::new();
    let files =
        ["--tls-cert".into(), certificate.cert().into_os_string(), "--tls-key".into(), certificate.key().into()];
    let server = Run::guest("hello").args(files).args(["--header-timeout", "300ms"]).serve();
    let mut silent = Client::connect(server.address);
    silent.is_closed();
    let (mut client, _) = certificate.connect(&server, &["http/1.1"]);
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    let server = crate::support::serve("hello");
    assert_eq!(plain(server.address, "/").status, 200);
    assert_eq!(server.scheme, "http");
}
