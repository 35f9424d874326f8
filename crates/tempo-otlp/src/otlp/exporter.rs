//! `Exporter`: export settings of one signal, from the `OTEL_EXPORTER_OTLP_*` variables.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::ClientConfig;
use tempo_settings::{Error, Flag, Reloadable, Settings};
use tempo_telemetry::Signal;

use crate::flags::{self, PerSignal};
use crate::otlp::tls;
use crate::values::Values;

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

/// Export settings of one signal.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    pub(crate) protocol: Protocol,
    /// Includes the path of requests.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    /// Set for the scheme `https`.
    pub(crate) tls: Option<Reloadable<ClientConfig>>,
}

/// Reads the variables of one signal.
struct SignalSettings<'a> {
    values: Values<'a>,
    signal: Signal,
}

impl Exporter {
    /// Reads the settings of `signal`, with TLS settings `shared` by all signals. Returns `None` if it is not exported.
    pub(crate) fn read(settings: &Settings, signal: Signal, shared: &mut tls::Shared) -> Result<Option<Self>> {
        let signal_settings = SignalSettings { values: Values(settings), signal };
        if !signal_settings.is_on()? {
            return Ok(None);
        }
        let protocol = signal_settings.effective(&flags::PROTOCOL, |values, flag| {
            values.choice(flag, &[("grpc", Protocol::Grpc), ("http/protobuf", Protocol::Http)])
        })?;
        let protocol = protocol.unwrap_or(Protocol::Http);
        let uri = signal_settings.uri(protocol)?;
        let timeout = signal_settings.effective(&flags::TIMEOUT, Values::duration)?.unwrap_or(DEFAULT_TIMEOUT);
        let gzip = signal_settings
            .effective(&flags::COMPRESSION, |values, flag| values.choice(flag, &[("gzip", true), ("none", false)]))?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let tls = secure.then(|| signal_settings.tls(protocol, shared)).transpose()?;
        let gzip = gzip.unwrap_or(false);
        Ok(Some(Self { protocol, uri, headers: signal_settings.headers()?, timeout, gzip, tls }))
    }
}

impl<'a> SignalSettings<'a> {
    /// Returns the signal's own value, or the general one.
    fn effective<V>(
        &self,
        flags: &PerSignal,
        read: impl Fn(Values<'a>, &Flag) -> Result<Option<V>, Error>,
    ) -> Result<Option<V>, Error> {
        match read(self.values, flags.of(self.signal))? {
            Some(value) => Ok(Some(value)),
            None => read(self.values, &flags.all),
        }
    }

    /// Returns the variable that provides the value of [`SignalSettings::effective`].
    fn effective_flag<'f>(&self, flags: &'f PerSignal) -> Result<&'f Flag, Error> {
        let own = flags.of(self.signal);
        Ok(if self.values.text(own)?.is_some() { own } else { &flags.all })
    }

    fn is_on(&self) -> Result<bool, Error> {
        let flag = match self.signal {
            Signal::Traces => &flags::TRACES_EXPORTER,
            Signal::Metrics => &flags::METRICS_EXPORTER,
            Signal::Logs => &flags::LOGS_EXPORTER,
        };
        match self.values.choice(flag, &[("otlp", true), ("none", false)])? {
            Some(on) => Ok(on),
            None => Ok(self.effective(&flags::ENDPOINT, Values::text)?.is_some()),
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
        let insecure = self.effective(&flags::INSECURE, Values::is_true)?.unwrap_or(false);
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
        let pairs = self.effective(&flags::HEADERS, Values::pairs)?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (key, value) in pairs {
            let name =
                HeaderName::from_bytes(key.as_bytes()).ok().filter(|name| !RESERVED_HEADERS.contains(&name.as_str()));
            let value = HeaderValue::from_str(&value).ok();
            let (Some(name), Some(mut value)) = (name, value) else {
                let flag = self.effective_flag(&flags::HEADERS)?;
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
            let Some(path) = self.effective(flags, Values::text)? else { return Ok(None) };
            Ok(Some((self.effective_flag(flags)?.name, PathBuf::from(path))))
        };
        let authorities = file(&flags::CERTIFICATE)?;
        let client = match (file(&flags::CLIENT_CERTIFICATE)?, file(&flags::CLIENT_KEY)?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (given, _) => {
                let given = if given.is_some() { &flags::CLIENT_CERTIFICATE } else { &flags::CLIENT_KEY };
                let problem = "a certificate needs its key, and a key its certificate";
                return Err(self.values.0.invalid(self.effective_flag(given)?, problem).into());
            }
        };
        // Each file is checked alone first, so that the error names the variable at fault.
        let check = |files: tls::Files, flags: &PerSignal| {
            tls::check(&files).map_err(|error| {
                let problem = format!("cannot be used: {error:#}");
                self.effective_flag(flags).map_or_else(|error| error, |flag| self.values.0.invalid(flag, &problem))
            })
        };
        check(tls::Files { authorities: authorities.clone(), client: None }, &flags::CERTIFICATE)?;
        let files = tls::Files { authorities, client };
        check(files.clone(), &flags::CLIENT_CERTIFICATE)?;
        let alpn: &[u8] = if protocol == Protocol::Grpc { b"h2" } else { b"http/1.1" };
        Ok(shared.load(files, alpn)?)
    }
}

/// Returns the URL `text` with another path, if it is a valid endpoint.
fn endpoint(text: &str, path: impl FnOnce(&str) -> String) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let mut parts = uri.into_parts();
    let scheme = parts.scheme.as_ref()?;
    let authority = parts.authority.as_ref()?;
    // Credentials belong in the headers, which are not logged.
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
