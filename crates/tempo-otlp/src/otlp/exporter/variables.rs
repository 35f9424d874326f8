//! The exporter of one signal from the `OTEL_EXPORTER_OTLP_*` variables.

use std::path::PathBuf;

use http::uri::Scheme;
use http::{HeaderMap, Uri};
use rustls::ClientConfig;
use tempo_settings::{Flag, Reloadable, Result, Settings};
use tempo_telemetry::Signal;

use super::{DEFAULT_TIMEOUT, EXPECTED_HEADER, EXPECTED_URL, Exporter, Protocol, below, header, parse};
use crate::flags::{self, PerSignal};
use crate::otlp::tls;
use crate::values::Values;

/// Reads the variables of one signal.
struct SignalSettings<'a> {
    values: Values<'a>,
    signal: Signal,
}

impl Exporter {
    /// Reads the settings of `signal`, with TLS settings `shared` by all signals. Returns `None` if it is not exported.
    ///
    /// # Errors
    ///
    /// A value is invalid. The error names the variable and its source.
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
        read: impl Fn(Values<'a>, &Flag) -> Result<Option<V>>,
    ) -> Result<Option<V>> {
        match read(self.values, flags.of(self.signal))? {
            Some(value) => Ok(Some(value)),
            None => read(self.values, &flags.all),
        }
    }

    /// Returns the variable that provides the value of [`SignalSettings::effective`].
    fn effective_flag<'f>(&self, flags: &'f PerSignal) -> Result<&'f Flag> {
        let own = flags.of(self.signal);
        Ok(if self.values.text(own)?.is_some() { own } else { &flags.all })
    }

    fn is_on(&self) -> Result<bool> {
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

    /// Returns the URL of requests. A signal's own endpoint over HTTP is used as it is.
    fn uri(&self, protocol: Protocol) -> Result<Uri> {
        let own = self.values.text(flags::ENDPOINT.of(self.signal))?;
        let is_own = own.is_some();
        let text = own.map_or_else(|| self.values.text(&flags::ENDPOINT.all), |own| Ok(Some(own)))?;
        let insecure = self.effective(&flags::INSECURE, Values::is_true)?.unwrap_or(false);
        let mut text = text.unwrap_or_else(|| protocol.default_endpoint().to_owned());
        if protocol == Protocol::Grpc && !text.contains("://") {
            text = format!("{}://{text}", if insecure { "http" } else { "https" });
        }
        let uri = parse(&text).and_then(|uri| match protocol {
            Protocol::Http if is_own => Some(uri),
            _ => below(&uri, protocol, self.signal),
        });
        uri.ok_or_else(|| {
            let flag = if is_own { flags::ENDPOINT.of(self.signal) } else { &flags::ENDPOINT.all };
            self.values.0.invalid(flag, EXPECTED_URL)
        })
    }

    fn headers(&self) -> Result<HeaderMap> {
        let pairs = self.effective(&flags::HEADERS, Values::pairs)?.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (key, value) in pairs {
            let Some((name, value)) = header(&key, &value) else {
                let flag = self.effective_flag(&flags::HEADERS)?;
                return Err(self.values.0.invalid(flag, EXPECTED_HEADER));
            };
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn tls(&self, protocol: Protocol, shared: &mut tls::Shared) -> Result<Reloadable<ClientConfig>> {
        let file = |flags: &'static PerSignal| -> Result<Option<tls::File>> {
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
                return Err(self.values.0.invalid(self.effective_flag(given)?, problem));
            }
        };
        // Each file is checked alone first, so that the error names the variable at fault.
        let usable = |checked: anyhow::Result<()>, flags: &PerSignal| {
            checked.map_err(|error| {
                let problem = format!("cannot be used: {error:#}");
                self.effective_flag(flags).map_or_else(|error| error, |flag| self.values.0.invalid(flag, &problem))
            })
        };
        let only_authorities = tls::Files { authorities: authorities.clone(), client: None };
        usable(tls::check(&only_authorities), &flags::CERTIFICATE)?;
        if let Some((_, (_, key))) = &client {
            usable(tls::check_key(key), &flags::CLIENT_KEY)?;
        }
        let files = tls::Files { authorities, client };
        usable(tls::check(&files), &flags::CLIENT_CERTIFICATE)?;
        shared.load(files, protocol.alpn())
    }
}
