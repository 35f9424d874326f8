//! `Config`: what telemetry a process records, and where it is sent.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use tempo_settings::{Result, Settings};
use tempo_telemetry::{Sampler, Signal};

use crate::otlp::exporter::Exporter;
use crate::settings::{Exporters, Recording};

/// The configuration of a process's telemetry. It exports nothing until an exporter is set.
///
/// ```
/// use std::time::Duration;
///
/// use tempo_otlp::{Config, Exporter, Sampler};
///
/// # fn main() -> tempo_settings::Result<()> {
/// let collector = Exporter::grpc("http://localhost:4317")?.header("api-key", "secret")?.gzip(true);
/// let config = Config::new()
///     .exporter(&collector)
///     .sampler(Sampler::ParentBased(0.1))
///     .attribute("service.name", "shop")
///     .metrics_interval(Duration::from_secs(15));
/// # let _ = config;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Config {
    pub(crate) exporters: Exporters,
    /// An invalid variable is an error only if telemetry is recorded.
    pub(crate) recording: Result<Recording>,
}

impl Default for Config {
    fn default() -> Self {
        Self { exporters: Exporters::default(), recording: Ok(Recording::default()) }
    }
}

impl Config {
    /// Creates a configuration without exporters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the `OTEL_*` variables, the [`FLAGS`](crate::FLAGS) in `settings`.
    ///
    /// # Errors
    ///
    /// A value is invalid. The error names the variable and its source, never the value.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Ok(Self { exporters: Exporters::read(settings)?, recording: Recording::read(settings) })
    }

    /// Sends all signals with `exporter`.
    pub fn exporter(self, exporter: &Exporter) -> Self {
        self.traces(exporter.clone()).metrics(exporter.clone()).logs(exporter.clone())
    }

    /// Sends spans with `exporter`.
    pub fn traces(mut self, exporter: Exporter) -> Self {
        self.exporters.traces = Some(exporter.for_signal(Signal::Traces));
        self
    }

    /// Sends metrics with `exporter`.
    pub fn metrics(mut self, exporter: Exporter) -> Self {
        self.exporters.metrics = Some(exporter.for_signal(Signal::Metrics));
        self
    }

    /// Sends log records with `exporter`.
    pub fn logs(mut self, exporter: Exporter) -> Self {
        self.exporters.logs = Some(exporter.for_signal(Signal::Logs));
        self
    }

    /// Decides which traces are recorded. Default: `ParentBased(1.0)`.
    pub fn sampler(self, sampler: Sampler) -> Self {
        self.record(|recording| recording.sampler = sampler)
    }

    /// Sets an attribute of the resource. Default of `service.name`: the component's name.
    pub fn attribute(self, key: &str, value: &str) -> Self {
        self.record(|recording| {
            recording.resource.retain(|pair| pair.key.as_str() != key);
            recording.resource.push(KeyValue::new(key.to_owned(), value.to_owned()));
        })
    }

    /// Sets the temporality of exported metrics. Default: cumulative.
    pub fn temporality(self, temporality: Temporality) -> Self {
        self.record(|recording| recording.temporality = temporality)
    }

    /// Sets how long spans wait to be sent together. Default: 5 s.
    pub fn traces_delay(self, delay: Duration) -> Self {
        self.record(|recording| recording.spans = delay)
    }

    /// Sets how long log records wait to be sent together. Default: 1 s.
    pub fn logs_delay(self, delay: Duration) -> Self {
        self.record(|recording| recording.logs = delay)
    }

    /// Sets how often metrics are sent. Default: 60 s.
    pub fn metrics_interval(self, interval: Duration) -> Self {
        self.record(|recording| recording.metrics = interval)
    }

    fn record(mut self, set: impl FnOnce(&mut Recording)) -> Self {
        if let Ok(recording) = &mut self.recording {
            set(recording);
        }
        self
    }
}
