//! General telemetry settings from the `OTEL_*` variables.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use tempo_settings::{Result, Settings};
use tempo_telemetry::{Sampler, Signal};

use crate::flags;
use crate::otlp::exporter::Exporter;
use crate::otlp::tls;
use crate::values::Values;

/// The exporter of each signal, if it is exported.
#[derive(Debug, Default)]
pub(crate) struct Exporters {
    pub(crate) traces: Option<Exporter>,
    pub(crate) metrics: Option<Exporter>,
    pub(crate) logs: Option<Exporter>,
}

impl Exporters {
    /// # Errors
    /// A value is invalid. The error names the variable and its source.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        if Values(settings).is_true(&flags::SDK_DISABLED)? == Some(true) {
            return Ok(Self::default());
        }
        let mut shared = tls::Shared::default();
        let mut read = |signal| Exporter::read(settings, signal, &mut shared);
        Ok(Self { traces: read(Signal::Traces)?, metrics: read(Signal::Metrics)?, logs: read(Signal::Logs)? })
    }

    /// Returns whether no signal is exported.
    pub(crate) fn is_off(&self) -> bool {
        self.traces.is_none() && self.metrics.is_none() && self.logs.is_none()
    }
}

/// Sampling, resource, temporality, and export schedules.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) sampler: Sampler,
    /// Resource attributes; `service.name` only if set.
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) temporality: Temporality,
    pub(crate) spans: Duration,
    pub(crate) logs: Duration,
    pub(crate) metrics: Duration,
}

impl Default for Recording {
    /// The defaults of the specification.
    fn default() -> Self {
        Self {
            sampler: Sampler::ParentBased(1.0),
            resource: Vec::new(),
            temporality: Temporality::default(),
            spans: Duration::from_secs(5),
            logs: Duration::from_secs(1),
            metrics: Duration::from_secs(60),
        }
    }
}

impl Recording {
    /// # Errors
    /// A value is invalid. The error names the variable and its source.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let values = Values(settings);
        values.read(&flags::PROPAGATORS, "tracecontext and baggage, which are what Tempo speaks", |text| {
            let names: Vec<_> = text.split(',').map(str::trim).collect();
            let known = |name: &&str| ["tracecontext", "baggage"].contains(name);
            (names.iter().all(known) && names.contains(&"tracecontext") && names.contains(&"baggage")).then_some(())
        })?;
        let temporality = values.choice(
            &flags::TEMPORALITY,
            &[
                ("cumulative", Temporality::Cumulative),
                ("delta", Temporality::Delta),
                ("lowmemory", Temporality::LowMemory),
            ],
        )?;
        let default = Self::default();
        let duration = |flag, default| Ok::<_, tempo_settings::Error>(values.duration(flag)?.unwrap_or(default));
        Ok(Self {
            sampler: sampler(values)?,
            resource: resource(values)?,
            temporality: temporality.unwrap_or_default(),
            spans: duration(&flags::BSP_SCHEDULE_DELAY, default.spans)?,
            logs: duration(&flags::BLRP_SCHEDULE_DELAY, default.logs)?,
            metrics: duration(&flags::METRIC_EXPORT_INTERVAL, default.metrics)?,
        })
    }
}

type OfShare = fn(f64) -> Sampler;

fn sampler(values: Values<'_>) -> Result<Sampler> {
    let words: [(&str, OfShare); 6] = [
        ("always_on", |_| Sampler::AlwaysOn),
        ("always_off", |_| Sampler::AlwaysOff),
        ("traceidratio", Sampler::Ratio),
        ("parentbased_always_on", |_| Sampler::ParentBased(1.0)),
        ("parentbased_always_off", |_| Sampler::ParentBased(0.0)),
        ("parentbased_traceidratio", Sampler::ParentBased),
    ];
    let sampler = values.choice(&flags::SAMPLER, &words)?.unwrap_or(|_| Sampler::ParentBased(1.0));
    let share = values.read(&flags::SAMPLER_ARG, "a number from 0 to 1", |text| {
        text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share))
    })?;
    Ok(sampler(share.unwrap_or(1.0)))
}

/// The last value of a key wins; `OTEL_SERVICE_NAME` overrides the service name.
fn resource(values: Values<'_>) -> Result<Vec<KeyValue>> {
    let pairs = values.pairs(&flags::RESOURCE_ATTRIBUTES)?.unwrap_or_default();
    let name = values.text(&flags::SERVICE_NAME)?.map(|name| ("service.name".to_owned(), name));
    let mut resource: Vec<KeyValue> = Vec::new();
    for (key, value) in pairs.into_iter().chain(name) {
        resource.retain(|pair| pair.key.as_str() != key);
        resource.push(KeyValue::new(key, value));
    }
    Ok(resource)
}

#[cfg(test)]
pub(crate) mod tests;
