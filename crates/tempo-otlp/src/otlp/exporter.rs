//! `Exporter`: where and how the records of one signal are sent.

mod variables;

use std::path::PathBuf;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::ClientConfig;
use tempo_settings::{Error, ErrorKind, Reloadable, Result};
use tempo_telemetry::Signal;

use crate::otlp::tls;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that the protocol sets.
const RESERVED_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-encoding",
    "host",
    "te",
    "transfer-encoding",
];

/// The transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `grpc`
    Grpc,
    /// `http/protobuf`
    Http,
}

/// An exporter to a collector, by OTLP. Nothing is connected before the first request.
#[derive(Clone, Debug)]
#[must_use]
pub struct Exporter {
    pub(crate) protocol: Protocol,
    /// The base of the collector's URLs; of the exporter of one signal, the URL of its requests.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// Set for the scheme `https`.
    pub(crate) tls: Option<Reloadable<ClientConfig>>,
}

impl Exporter {
    /// Exports to the collector at `endpoint`, such as `http://localhost:4318`, over HTTP: spans to `/v1/traces` below it,
    /// and likewise for the other signals.
    ///
    /// # Errors
    ///
    /// `endpoint` is not a URL of the scheme `http` or `https`, or has a user name.
    pub fn http(endpoint: &str) -> Result<Self> {
        Self::new(Protocol::Http, endpoint)
    }

    /// Exports to the collector at `endpoint`, such as `http://localhost:4317`, over gRPC.
    ///
    /// # Errors
    ///
    /// As [`Exporter::http`].
    pub fn grpc(endpoint: &str) -> Result<Self> {
        Self::new(Protocol::Grpc, endpoint)
    }

    fn new(protocol: Protocol, endpoint: &str) -> Result<Self> {
        let uri = parse(endpoint).ok_or_else(|| invalid(format!("the endpoint of the collector: {EXPECTED_URL}")))?;
        let (headers, timeout) = (HeaderMap::new(), DEFAULT_TIMEOUT);
        let exporter = Self { protocol, uri, headers, timeout, gzip: false, tls: None };
        exporter.with_tls(tls::Files::default())
    }

    /// Adds a header to requests.
    ///
    /// # Errors
    ///
    /// `name` or `value` is invalid, or the protocol sets the header itself.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let (name, value) =
            header(name, value).ok_or_else(|| invalid(format!("the header {name}: {EXPECTED_HEADER}")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets the timeout of one request with all its attempts. Default: 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Compresses requests with gzip. Default: off.
    pub fn gzip(mut self, on: bool) -> Self {
        self.gzip = on;
        self
    }

    /// Trusts the certificate authorities of the PEM file `path` instead of Mozilla's. It is read again when it changes.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or has no certificate.
    pub fn authorities(self, path: impl Into<PathBuf>) -> Result<Self> {
        let authorities = Some(("the certificate authorities", path.into()));
        self.with_tls(tls::Files { authorities, client: None })
    }

    /// Loads the TLS configuration, if the endpoint needs one.
    fn with_tls(mut self, files: tls::Files) -> Result<Self> {
        if self.uri.scheme() == Some(&Scheme::HTTPS) {
            self.tls = Some(tls::Shared::default().load(files, self.protocol.alpn())?);
        }
        Ok(self)
    }

    /// Returns the exporter of `signal`, whose requests go to the URL that OTLP defines below the base.
    pub(crate) fn for_signal(mut self, signal: Signal) -> Self {
        if let Some(uri) = below(&self.uri, self.protocol, signal) {
            self.uri = uri;
        }
        self
    }
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Grpc => b"h2",
            Self::Http => b"http/1.1",
        }
    }

    /// Returns the endpoint that OTLP defines as the default.
    fn default_endpoint(self) -> &'static str {
        match self {
            Self::Grpc => "http://localhost:4317",
            Self::Http => "http://localhost:4318",
        }
    }

    /// Returns the path of requests with `signal`: for HTTP, below that of the endpoint.
    fn path(self, signal: Signal) -> &'static str {
        match (self, signal) {
            (Self::Http, Signal::Traces) => "/v1/traces",
            (Self::Http, Signal::Metrics) => "/v1/metrics",
            (Self::Http, Signal::Logs) => "/v1/logs",
            (Self::Grpc, Signal::Traces) => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            (Self::Grpc, Signal::Metrics) => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            (Self::Grpc, Signal::Logs) => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }
}

const EXPECTED_URL: &str =
    "expected a URL such as http://localhost:4318 or https://otel.example:4317, without a user name";
const EXPECTED_HEADER: &str = "expected names and values of HTTP headers that are not the protocol's own";

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::BadConfiguration, message)
}

/// Parses a header of requests, whose value is secret.
fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name =
        HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !RESERVED_HEADERS.contains(&name.as_str()))?;
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// Parses the URL of a collector. Credentials belong in the headers, which are not logged.
fn parse(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let known = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let authority = uri.authority()?.as_str();
    (known && !authority.contains('@')).then_some(uri)
}

/// Returns the URL of requests with `signal` to the collector at `base`.
fn below(base: &Uri, protocol: Protocol, signal: Signal) -> Option<Uri> {
    let path = protocol.path(signal);
    let path = match protocol {
        Protocol::Http => format!("{}{path}", base.path().trim_end_matches('/')),
        Protocol::Grpc => path.to_owned(),
    };
    let query = base.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests;
