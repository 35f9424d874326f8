//! The variables and the settings that result.

use super::*;
use crate::settings::Exporters;
use crate::settings::tests::settings;

/// Returns `traces metrics logs`, each with protocol and URL, or `-`.
fn table(variables: &[(&str, &str)]) -> String {
    let read = Exporters::read(&settings(variables)).unwrap();
    let show = |exporter: Option<Exporter>| match exporter {
        Some(exporter) => format!("{:?} {}", exporter.protocol, exporter.uri),
        None => "-".to_owned(),
    };
    [read.traces, read.metrics, read.logs].map(show).join(" | ")
}

const TRACE: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

#[test]
fn what_is_sent_where() {
    let http = |base: &str| format!("Http {base}/v1/traces | Http {base}/v1/metrics | Http {base}/v1/logs");
    let grpc = |base: &str| format!("Grpc {base}{TRACE} | Grpc {base}{METRICS} | Grpc {base}{LOGS}");
    let all = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";
    let cases: &[(&[(&str, &str)], String)] = &[
        (&[], "- | - | -".into()),
        (&[(all, ""), (protocol, "grpc")], "- | - | -".into()),
        (&[(all, "http://c:1")], http("http://c:1")),
        (&[(all, "http://c:1/")], http("http://c:1")),
        (&[(all, "https://c/base/?key=1")], http("https://c/base").replace(" |", "?key=1 |") + "?key=1"),
        (&[(all, "http://[::1]:9")], http("http://[::1]:9")),
        (&[(all, "http://c:1"), ("OTEL_SDK_DISABLED", "True")], "- | - | -".into()),
        (&[(all, "http://c:1"), ("OTEL_SDK_DISABLED", "false")], http("http://c:1")),
        (
            &[(all, "http://c:1"), ("OTEL_METRICS_EXPORTER", "none")],
            "Http http://c:1/v1/traces | - | Http http://c:1/v1/logs".into(),
        ),
        (&[("OTEL_TRACES_EXPORTER", "otlp")], "Http http://localhost:4318/v1/traces | - | -".into()),
        (&[("OTEL_LOGS_EXPORTER", "otlp"), (protocol, "grpc")], format!("- | - | Grpc http://localhost:4317{LOGS}")),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1")], "Http http://t:1/ | - | -".into()),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x/")], "Http http://t:1/x/ | - | -".into()),
        (
            &[
                (all, "http://c:1"),
                ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://l/in"),
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ],
            format!("Grpc http://c:1{TRACE} | Http http://c:1/v1/metrics | Http https://l/in"),
        ),
        (&[(all, "http://c:1"), (protocol, "GRPC")], grpc("http://c:1")),
        (&[(all, "c:1"), (protocol, "grpc")], grpc("https://c:1")),
        (&[(all, "c:1"), (protocol, "grpc"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")], grpc("http://c:1")),
        (&[(all, "https://c:1"), (protocol, "grpc"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")], grpc("https://c:1")),
    ];
    for (variables, expected) in cases {
        assert_eq!(table(variables), *expected, "{variables:?}");
    }
}

#[test]
fn how_it_is_sent() {
    let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
    let show = |variables: &[(&str, &str)]| {
        let read = Exporters::read(&settings(&[&[on], variables].concat())).unwrap();
        let show = |exporter: Option<Exporter>| {
            let exporter = exporter.unwrap();
            let headers: Vec<_> =
                exporter.headers.iter().map(|(name, value)| format!("{name}:{}", value.to_str().unwrap())).collect();
            format!("{} {} {}", exporter.timeout.as_millis(), exporter.gzip, headers.join(","))
        };
        [read.traces, read.metrics, read.logs].map(show).join(" | ")
    };
    assert_eq!(show(&[]), "10000 false  | 10000 false  | 10000 false ");
    let given = [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "6"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b,x = y=z"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "t=1"),
    ];
    assert_eq!(show(&given), "5 true t:1 | 6 true api-key:a b,x:y=z | 5 false api-key:a b,x:y=z");
    let read = Exporters::read(&settings(&[&[on], &given[..]].concat())).unwrap();
    assert!(!format!("{:?}", read.metrics).contains("a b"), "headers are secrets");
}

#[test]
fn a_bad_value_is_named_with_its_place_and_never_shown() {
    let url = "expected a URL such as http://localhost:4318 or https://otel.example:4317, without a user name";
    let headers = "expected names and values of HTTP headers that are not the protocol's own";
    let cases = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret:1", url),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://s3cret", url),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:s3cret@c", url),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json", "expected grpc or http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "expected a number of milliseconds from 1 to 86400000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "expected gzip or none"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "s3cret",
            "expected KEY=VALUE,KEY=VALUE with values percent-encoded where needed",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0a", headers),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "host=s3cret", headers),
        ("OTEL_TRACES_EXPORTER", "s3cret", "expected otlp or none"),
        ("OTEL_SDK_DISABLED", "s3cret", "expected true or false"),
    ];
    for (name, text, problem) in cases {
        let variables = [(name, text), ("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_LOGS_EXPORTER", "otlp")];
        let error = Exporters::read(&settings(&variables)).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: {problem} (.env:1)"));
    }
}

#[test]
fn files_are_read_at_once_and_named_by_their_variable() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (file("cert", &own.cert.pem()), file("key", &own.signing_key.serialize_pem()));
    let empty = file("empty", "nothing");
    let read = |variables: &[(&str, &str)]| {
        let on = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c");
        Exporters::read(&settings(&[&[on], variables].concat())).map(drop).map_err(|error| error.to_string())
    };
    let (ca, cert, private) = (
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    );
    assert_eq!(read(&[(ca, &certificate), (cert, &certificate), (private, &key)]), Ok(()));
    let bad = |variables: &[(&str, &str)], start: &str| {
        let error = read(variables).unwrap_err();
        assert!(error.starts_with(start) && error.ends_with("(.env:2)"), "{error}");
        assert!(!error.contains(&*dir.path().to_string_lossy()), "{error}");
    };
    bad(&[(ca, &empty)], "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be used: expected PEM");
    bad(&[(ca, "no-such-file")], "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be used: ");
    bad(&[(cert, &certificate)], "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: a certificate needs its key");
    bad(&[(private, &key)], "OTEL_EXPORTER_OTLP_CLIENT_KEY: a certificate needs its key");
    bad(&[(cert, &empty), (private, &key)], "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: cannot be used: ");
    let encrypted = file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let error = read(&[(cert, &certificate), (private, &encrypted)]).unwrap_err();
    assert!(
        error.starts_with("OTEL_EXPORTER_OTLP_CLIENT_KEY: cannot be used: the key is encrypted; decrypt"),
        "{error}"
    );
    let der = dir.path().join("der");
    std::fs::write(&der, own.cert.der()).unwrap();
    bad(
        &[(ca, &der.display().to_string())],
        "OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be used: expected PEM, found a certificate in DER",
    );
}
