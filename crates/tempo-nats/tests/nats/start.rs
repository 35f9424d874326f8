//! Opening a store: who may, and what is said to those who may not.

use tempo_keyvalue::Condition;
use tempo_settings::ErrorKind;

use crate::support::{Server, eventually, open_with, refusal};

/// An NKey of NATS's own documentation.
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

/// Opens a store and uses it.
async fn works(url: &str, flags: &[(&str, &str)]) {
    let store = open_with(url, flags).await.unwrap();
    store.set("k", "v".into(), None, Condition::Always).await.unwrap();
    assert_eq!(store.get("k").await.unwrap().unwrap().value, "v");
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("nats://ann:s3cret@127.0.0.1:{closed}/b");
    let error = refusal(&url, &[("connect-timeout", "300ms")]).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = error.to_string();
    assert!(said.contains(&format!("nats://127.0.0.1:{closed}")), "{said}");
    assert!(said.contains("--connect-timeout") && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://127.0.0.1:{}/b", silent.local_addr().unwrap().port());
    assert_eq!(refusal(&url, &[("connect-timeout", "300ms")]).await.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn one_server_of_several_is_enough() {
    let server = Server::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    works(&format!("nats://127.0.0.1:{closed},127.0.0.1:{}/b", server.port), &[]).await;
}

#[tokio::test]
async fn a_server_without_jetstream() {
    let server = Server::with("");
    let error = refusal(&server.url("b"), &[]).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let said = error.to_string();
    assert!(said.starts_with(&server.url("b")) && said.contains("--jetstream"), "{said}");
}

#[tokio::test]
async fn users_and_passwords() {
    let server = Server::with(r#"jetstream {}, authorization { user: ann, password: "s3cret/@:" }"#);
    works(&server.url("b"), &[("nats-user", "ann"), ("nats-password", "s3cret/@:")]).await;
    let at = |user: &str| format!("nats://{user}@127.0.0.1:{}/b", server.port);
    works(&at("ann:s3cret%2F%40:"), &[("nats-user", "bob"), ("nats-password", "x")]).await;
    for (url, flags) in [
        (server.url("b"), &[][..]),
        (at("ann:s3cret"), &[]),
        (at("s3cret"), &[]),
        (server.url("b"), &[("nats-user", "ann"), ("nats-password", "s3cret")]),
        (server.url("b"), &[("nats-token", "s3cret")]),
    ] {
        let error = refusal(&url, flags).await;
        assert_eq!(error.kind(), ErrorKind::BadConfiguration, "{error}");
        assert!(error.to_string().contains("--nats-creds"), "{error}");
        assert!(error.to_string().starts_with(&format!("nats://127.0.0.1:{}: ", server.port)), "{error}");
    }
}

#[tokio::test]
async fn tokens() {
    let server = Server::with("jetstream {}, authorization { token: s3cret }");
    works(&server.url("b"), &[("nats-token", "s3cret")]).await;
    works(&format!("nats://s3cret@127.0.0.1:{}/b", server.port), &[]).await;
}

#[tokio::test]
async fn nkeys() {
    let server = Server::with(&format!("jetstream {{}}, authorization {{ users: [{{ nkey: {PUBLIC} }}] }}"));
    let seed = server.file("seed", &format!("# a comment\n{SEED}\n"));
    works(&server.url("b"), &[("nats-nkey", &seed)]).await;
    let wrong = server.file("wrong", "SUs3cret\n");
    assert_eq!(refusal(&server.url("b"), &[("nats-nkey", &wrong)]).await.kind(), ErrorKind::BadConfiguration);
    let none = server.file("none", "s3cret\n");
    let said = refusal(&server.url("b"), &[("nats-nkey", &none)]).await.to_string();
    assert!(said.starts_with("--nats-nkey: ") && said.contains("seed"), "{said}");
}

#[tokio::test]
async fn files_that_are_missing_or_wrong() {
    let server = Server::start();
    for flag in ["nats-creds", "nats-nkey", "nats-ca"] {
        let error = refusal(&server.url("b"), &[(flag, "/no/such/file")]).await;
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with(&format!("--{flag}: cannot read /no/such/file")), "{error}");
    }
    let creds = server.file("creds", "-----BEGIN NATS USER JWT-----\ns3cret\n");
    let error = refusal(&server.url("b"), &[("nats-creds", &creds)]).await;
    assert_eq!(error.kind(), ErrorKind::BadConfiguration);
}

#[tokio::test]
async fn a_user_who_may_not_use_jetstream() {
    let user = r#"{ user: ann, password: pw, permissions: { publish: "x", subscribe: ">" } }"#;
    let server = Server::with(&format!("jetstream {{}}, authorization {{ users: [{user}] }}"));
    let url = format!("nats://ann:pw@127.0.0.1:{}/b", server.port);
    let error = refusal(&url, &[]).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("$JS.API"), "{error}");
}

/// An authority of a test's own.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `name`, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn renewed_certificates_are_read_when_the_connection_comes_back() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    // Everything by another authority each time, on both sides.
    let issue = || {
        let authority = Authority::new();
        for side in ["localhost", "client"] {
            let (certificate, key) = authority.issue(side);
            std::fs::write(path(&format!("{side}.pem")), certificate).unwrap();
            std::fs::write(path(&format!("{side}.key")), key).unwrap();
        }
        std::fs::write(path("ca.pem"), authority.0.pem()).unwrap();
    };
    issue();
    let [certificate, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map(path);
    let tls = format!("cert_file: '{certificate}', key_file: '{key}', ca_file: '{ca}', verify: true");
    let mut server = Server::with(&format!("jetstream {{}}, tls {{ {tls} }}"));
    let flags = [("nats-ca", &*ca), ("nats-cert", &*path("client.pem")), ("nats-key", &*path("client.key"))];
    let store = open_with(&format!("tls://localhost:{}/b", server.port), &flags).await.unwrap();
    store.set("k", "v".into(), None, Condition::Always).await.unwrap();
    server.stop();
    issue();
    server.restart();
    let entry = eventually("the new certificates", || async { store.get("k").await.ok() }).await;
    assert_eq!(entry.unwrap().value, "v");
}

#[tokio::test]
async fn encryption_with_certificates_of_both_sides() {
    let ca = Authority::new();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ((certificate, key), (own, own_key)) = (ca.issue("localhost"), ca.issue("client"));
    let authority = write("ca", &ca.0.pem());
    let (certificate, key) = (write("cert", &certificate), write("key", &key));
    let (own, own_key) = (write("own", &own), write("own-key", &own_key));
    let tls = format!("cert_file: '{certificate}', key_file: '{key}', ca_file: '{authority}', verify: true");
    let server = Server::with(&format!("jetstream {{}}, tls {{ {tls} }}"));
    let trust = [("nats-ca", &*authority), ("nats-cert", &*own), ("nats-key", &*own_key)];
    works(&format!("tls://localhost:{}/b", server.port), &trust).await;
    works(&format!("nats://localhost:{}/b", server.port), &trust).await;
    let brief = ("connect-timeout", "500ms");
    let url = format!("tls://localhost:{}/b", server.port);
    assert_eq!(refusal(&url, &[trust[0], brief]).await.kind(), ErrorKind::Unavailable);
    let broken = write("broken", "no certificate");
    let error = refusal(&url, &[("nats-ca", &authority), ("nats-cert", &broken), ("nats-key", &broken), brief]).await;
    assert_eq!(error.kind(), ErrorKind::BadConfiguration, "{error}");
    let encrypted = write("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n");
    for (ca, cert, key, problem) in [
        (
            &broken,
            &own,
            &own_key,
            format!("--nats-ca: cannot use {broken}: expected PEM with at least one CERTIFICATE"),
        ),
        (&authority, &broken, &own_key, format!("--nats-cert: cannot use {broken}: expected PEM")),
        (&authority, &own, &encrypted, format!("--nats-key: cannot use {encrypted}: the key is encrypted; decrypt it")),
    ] {
        let error = refusal(&url, &[("nats-ca", ca), ("nats-cert", cert), ("nats-key", key), brief]).await;
        assert_eq!(error.kind(), ErrorKind::BadConfiguration, "{error}");
        assert!(format!("{error:#}").starts_with(&problem), "{error:#}");
    }
    // A server that cannot encrypt is not spoken to in the clear.
    let plain = Server::start();
    let url = format!("tls://localhost:{}/b", plain.port);
    assert_eq!(refusal(&url, &[("nats-ca", &authority), brief]).await.kind(), ErrorKind::Unavailable);
}
