//! How one signal is sent: the `OTEL_EXPORTER_OTLP_*` variables.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::ClientConfig;
use tempo_settings::{Error, Flag, Reloadable, Settings};
use tempo_telemetry::Signal;

use crate::flags::{self, PerSignal};
use crate::tls;
use crate::values::Values;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Headers that are the protocol's, not the user's.
const RESERVED: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-encoding",
    "host",
    "te",
    "transfer-encoding",
];

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `grpc`
    Grpc,
    /// `http/protobuf`
    Http,
}

/// Where and how one signal is sent.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    pub(crate) protocol: Protocol,
    /// With the path that requests go to.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// Set where the scheme is `https`.
    pub(crate) tls: Option<Reloadable<ClientConfig>>,
}

/// One signal's values.
struct Reader<'a> {
    values: Values<'a>,
    signal: Signal,
}

impl Exporter {
    /// Reads how `signal` is sent, with the settings of TLS that the signals share. `None` if it is not.
    pub(crate) fn read(settings: &Settings, signal: Signal, shared: &mut tls::Shared) -> Result<Option<Self>> {
        let reader = Reader { values: Values(settings), signal };
        if !reader.is_on()? {
            return Ok(None);
        }
        let protocol = reader.either(&flags::PROTOCOL, |values, flag| {
            values.word(flag, &[("grpc", Protocol::Grpc), ("http/protobuf", Protocol::Http)])
        })?;
        let protocol = protocol.unwrap_or(Protocol::Http);
        let uri = reader.uri(protocol)?;
        let timeout = reader.either(&flags::TIMEOUT, Values::duration)?.unwrap_or(TIMEOUT);
        let gzip =
            reader.either(&flags::COMPRESSION, |values, flag| values.word(flag, &[("gzip", true), ("none", false)]))?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let tls = secure.then(|| reader.tls(protocol, shared)).transpose()?;
        let gzip = gzip.unwrap_or(false);
        Ok(Some(Self { protocol, uri, headers: reader.headers()?, timeout, gzip, tls }))
    }
}

impl<'a> Reader<'a> {
    /// The signal's own value, or the one of all.
    fn either<V>(
        &self,
        flags: &PerSignal,
        read: impl Fn(Values<'a>, &Flag) -> Result<Option<V>, Error>,
    ) -> Result<Option<V>, Error> {
        match read(self.values, flags.of(self.signal))? {
            Some(value) => Ok(Some(value)),
            None => read(self.values, &flags.all),
        }
    }

    /// The variable of [`Reader::either`]'s value.
    fn source<'f>(&self, flags: &'f PerSignal) -> Result<&'f Flag, Error> {
        let own = flags.of(self.signal);
        Ok(if self.values.text(own)?.is_some() { own } else { &flags.all })
    }

    fn is_on(&self) -> Result<bool, Error> {
        let flag = match self.signal {
            Signal::Traces => &flags::TRACES_EXPORTER,
            Signal::Metrics => &flags::METRICS_EXPORTER,
            Signal::Logs => &flags::LOGS_EXPORTER,
        };
        match self.values.word(flag, &[("otlp", true), ("none", false)])? {
            Some(on) => Ok(on),
            None => Ok(self.either(&flags::ENDPOINT, Values::text)?.is_some()),
        }
    }

    fn uri(&self, protocol: Protocol) -> Result<Uri> {
        let default = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::Http => "http://localhost:4318",
        };
        let own = self.values.text(flags::ENDPOINT.of(self.signal))?;
        let is_own = own.is_some();
        let text = own.map_or_else(|| self.values.text(&flags::ENDPOINT.all), |own| Ok(Some(own)))?;
        let insecure = self.either(&flags::INSECURE, Values::is_true)?.unwrap_or(false);
        let mut text = text.unwrap_or_else(|| default.to_owned());
        if protocol == Protocol::Grpc && !text.contains("://") {
            text = format!("{}://{text}", if insecure { "http" } else { "https" });
        }
        let path = |given: &str| match (protocol, is_own) {
            (Protocol::Grpc, _) => self.grpc_path().to_owned(),
            (Protocol::Http, true) => given.to_owned(),
            (Protocol::Http, false) => format!("{}{}", given.trim_end_matches('/'), self.http_path()),
        };
        let uri = endpoint(&text, path).ok_or_else(|| {
            let flag = if is_own { flags::ENDPOINT.of(self.signal) } else { &flags::ENDPOINT.all };
            let expected =
                "expected a URL such as http://localhost:4318 or https://otel.example:4317, without a user name";
            self.values.0.invalid(flag, expected)
        })?;
        Ok(uri)
    }

    fn http_path(&self) -> &'static str {
        match self.signal {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    fn grpc_path(&self) -> &'static str {
        match self.signal {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let pairs = self.either(&flags::HEADERS, Values::pairs)?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (key, value) in pairs {
            let name = HeaderName::from_bytes(key.as_bytes()).ok().filter(|name| !RESERVED.contains(&name.as_str()));
            let value = HeaderValue::from_str(&value).ok();
            let (Some(name), Some(mut value)) = (name, value) else {
                let flag = self.source(&flags::HEADERS)?;
                return Err(self
                    .values
                    .0
                    .invalid(flag, "expected names and values of HTTP headers that are not the protocol's own"));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn tls(&self, protocol: Protocol, shared: &mut tls::Shared) -> Result<Reloadable<ClientConfig>> {
        let file = |flags: &'static PerSignal| -> Result<Option<tls::File>, Error> {
            let Some(path) = self.either(flags, Values::text)? else { return Ok(None) };
            Ok(Some((self.source(flags)?.name, PathBuf::from(path))))
        };
        let authorities = file(&flags::CERTIFICATE)?;
        let client = match (file(&flags::CLIENT_CERTIFICATE)?, file(&flags::CLIENT_KEY)?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (given, _) => {
                let given = if given.is_some() { &flags::CLIENT_CERTIFICATE } else { &flags::CLIENT_KEY };
                let problem = "a certificate needs its key, and a key its certificate";
                return Err(self.values.0.invalid(self.source(given)?, problem).into());
            }
        };
        // Each is tried alone first, so that the error names the variable at fault.
        let check = |files: tls::Files, flags: &PerSignal| {
            tls::check(&files).map_err(|error| {
                let problem = format!("cannot be used: {error:#}");
                self.source(flags).map_or_else(|error| error, |flag| self.values.0.invalid(flag, &problem))
            })
        };
        check(tls::Files { authorities: authorities.clone(), client: None }, &flags::CERTIFICATE)?;
        let files = tls::Files { authorities, client };
        check(files.clone(), &flags::CLIENT_CERTIFICATE)?;
        let alpn: &[u8] = if protocol == Protocol::Grpc { b"h2" } else { b"http/1.1" };
        Ok(shared.load(files, alpn)?)
    }
}

/// The URL `text` with another path, if it is one of a collector.
fn endpoint(text: &str, path: impl FnOnce(&str) -> String) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let mut parts = uri.into_parts();
    let scheme = parts.scheme.as_ref()?;
    let authority = parts.authority.as_ref()?;
    // Whoever has a name and a password puts them into the headers, where they are not logged.
    if (scheme != &Scheme::HTTP && scheme != &Scheme::HTTPS) || authority.as_str().contains('@') {
        return None;
    }
    let given = parts.path_and_query.as_ref();
    let query = given.and_then(PathAndQuery::query).map(|query| format!("?{query}")).unwrap_or_default();
    let path = path(given.map_or("/", PathAndQuery::path));
    parts.path_and_query = Some(format!("{path}{query}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests;
