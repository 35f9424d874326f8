//! No-op stand-in for `reporting` without the feature `telemetry`.

use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, Telemetry};
use tracing_subscriber::{Layer, Registry};

pub(crate) fn flags() -> Vec<Flag> {
    Vec::new()
}

pub(crate) fn development_defaults() -> Vec<(Flag, String)> {
    Vec::new()
}

pub(crate) fn log_layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    None
}

pub(crate) struct Reporting;

impl Reporting {
    #[allow(clippy::unnecessary_wraps, reason = "same signature as with the feature")]
    pub(crate) fn start(_: (&str, &str), _: &str, _: &Settings, _: &Health) -> anyhow::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub(crate) fn telemetry(&self) -> Telemetry {
        Telemetry::off()
    }

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub(crate) fn has_dashboard(&self) -> bool {
        false
    }

    pub(crate) fn describe(&self, _: Option<&str>, _: Vec<(serde_json::Value, &Settings)>, _: &[Flag]) {}

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub(crate) fn announcements(&self) -> &[String] {
        &[]
    }

    pub(crate) fn flush(self) {}
}
