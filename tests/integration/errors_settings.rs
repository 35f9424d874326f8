//! Invalid settings: the error names the source, never the value.

use crate::support::tls::Certificate;
use crate::support::{Run, guest};

/// A value that must never be printed.
const SECRET: &str = "s3cret";

#[test]
fn a_bad_value_of_a_flag() {
    for (flag, expected) in [
        ("--addr", "expected host:port"),
        ("--max-memory", "expected a size, such as 64KiB"),
        ("--cpu-timeout", "expected a duration, such as 500ms"),
        ("--max-requests", "expected a whole number above 0"),
        ("--max-queued-requests", "expected a whole number"),
        ("--env", "expected KEY=VALUE"),
        ("--config", "expected KEY=VALUE"),
        ("--dir", "expected HOST::GUEST"),
        ("--allow-socket-address", "expected an address or a range"),
        ("--allow-listen", "expected host:port"),
    ] {
        let ended = Run::tempo(["run".into(), guest("config-only").into_os_string()]).args([flag, SECRET]).finish();
        ended.failed_in_one_line(64, &[&format!("{flag}: {expected}")]);
        assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn limits_are_not_turned_off_by_a_zero() {
    for flag in
        ["--max-requests", "--max-memory", "--cpu-timeout", "--max-handles", "--max-open-files", "--instance-reuse"]
    {
        for zero in ["0", "0s", "-1"] {
            Run::guest("hello").args([flag, zero]).finish().failed_in_one_line(64, &[&format!("{flag}: expected")]);
        }
    }
}

#[test]
fn a_component_that_needs_more_memory_than_it_may_have() {
    let ended = Run::file(&guest("hello")).args(["--max-memory", "64KiB"]).finish();
    ended.failed_in_one_line(78, &["hello.wasm: it needs", "and may have 64: raise --max-memory"]);
}

#[test]
fn a_bad_value_in_a_file() {
    let file = format!("# settings\n\nTEMPO_MAX_MEMORY=64MiB\nTEMPO_ADDR={SECRET}\n");
    for (name, arguments) in [(".env", &[][..]), ("other.env", &["--env-file", "other.env"])] {
        let run = Run::tempo(["run".into(), guest("hello").into_os_string()]).with_file(name, &file);
        let ended = run.args(arguments).finish();
        ended.failed_in_one_line(78, &[&format!("TEMPO_ADDR: expected host:port, such as 127.0.0.1:8080 ({name}:4)")]);
        assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    }
}

#[test]
fn a_file_of_settings_that_is_not_there() {
    Run::guest("hello")
        .args(["--env-file", "nowhere.env"])
        .finish()
        .failed_in_one_line(66, &["cannot read nowhere.env"]);
}

#[test]
fn grants_that_make_no_sense() {
    let ended = Run::guest("hostile").args(["--allow-http", &format!("https://user:{SECRET}@example.com")]).finish();
    ended.failed_in_one_line(64, &["--allow-http", "expected a URL without user name and password"]);
    assert!(!ended.stderr.contains(SECRET), "{ended:?}");
    Run::guest("hostile")
        .args(["--allow-http", "example.com"])
        .finish()
        .failed_in_one_line(64, &["expected a URL such as"]);
    let ended = Run::guest("hostile").env("TEMPO_ALLOW_HTTP", "https://ok.example.com,example.com").finish();
    ended.failed_in_one_line(78, &["expected a URL such as"]);
    Run::guest("hostile")
        .args(["--allow-http-address", "10.0.0.0/99"])
        .finish()
        .failed_in_one_line(64, &["expected an address or a range such as 10.0.0.0/8"]);
}

#[test]
fn a_directory_that_is_not_there() {
    Run::guest("hello").args(["--dir", "nowhere::/data"]).finish().failed_in_one_line(66, &["--dir", "nowhere"]);
}

#[test]
fn configuration_that_cannot_be_read() {
    let run = || Run::guest("config-only");
    run().args(["--config-file", "nowhere.toml"]).finish().failed_in_one_line(66, &["nowhere.toml"]);
    run().args(["--config-file", "values.ini"]).finish().failed_in_one_line(64, &["--config-file", ".toml or .json"]);
    let broken =
        run().with_file("values.toml", format!("a = 1\nb = {SECRET}\n")).args(["--config-file", "values.toml"]);
    let ended = broken.finish();
    ended.failed_in_one_line(78, &["values.toml"]);
    assert!(!ended.stderr.contains(SECRET), "{ended:?}");
}

#[test]
fn certificates_that_cannot_be_used() {
    let certificate = Certificate::new();
    let other = Certificate::new();
    let (cert, key) = (certificate.cert(), certificate.key());
    let tls = |cert: &str, key: &str| Run::guest("hello").args(["--tls-cert", cert, "--tls-key", key]).finish();
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    tls("nowhere.pem", key).failed_in_one_line(66, &["--tls-cert: cannot read nowhere.pem"]);
    tls(cert, "nowhere.pem").failed_in_one_line(66, &["--tls-key: cannot read nowhere.pem"]);
    tls(cert, other.key().to_str().unwrap()).failed_in_one_line(78, &["--tls-cert and --tls-key cannot be used"]);
    tls(cert, cert).failed_in_one_line(78, &["--tls-key: cannot use", "a PRIVATE KEY section, found CERTIFICATE"]);
    tls(key, key).failed_in_one_line(78, &["--tls-cert: cannot use", "one CERTIFICATE section, found PRIVATE KEY"]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    Run::guest("hello")
        .with_file("encrypted.pem", encrypted)
        .args(["--tls-cert", cert, "--tls-key", "encrypted.pem"])
        .finish()
        .failed_in_one_line(
            78,
            &["--tls-key: cannot use encrypted.pem: the key is encrypted; decrypt it with `openssl"],
        );
    let der =
        |arguments: &[&str]| Run::guest("hello").with_file("cert.der", certificate.der()).args(arguments).finish();
    let in_der = "cert.der: expected PEM, found a certificate in DER; convert it with `openssl x509 -inform der";
    der(&["--tls-cert", "cert.der", "--tls-key", key]).failed_in_one_line(78, &["--tls-cert: cannot use", in_der]);
    der(&["--http-ca", "cert.der"]).failed_in_one_line(78, &["--http-ca: cannot use", "found a certificate in DER"]);
    Run::guest("hello").args(["--tls-cert", cert]).finish().failed_in_one_line(64, &["--tls-cert: needs --tls-key"]);
    Run::guest("hello").args(["--tls-key", key]).finish().failed_in_one_line(64, &["--tls-key: needs --tls-cert"]);
}

#[test]
fn a_pool_that_does_not_fit() {
    Run::guest("hello")
        .args(["--max-requests", "4000000"])
        .finish()
        .failed_in_one_line(78, &["--allocation pooling, and the pool of 6000064 instances does not fit into the address space; lower --max-requests"]);
}
