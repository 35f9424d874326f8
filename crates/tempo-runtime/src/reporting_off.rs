//! No-op stand-in for `reporting` without the feature `telemetry`.

use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, Telemetry};
use tracing_subscriber::{Layer, Registry};

pub fn flags() -> Vec<Flag> {
    Vec::new()
}

pub fn log_layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    None
}

pub struct Reporting;

impl Reporting {
    #[allow(clippy::unnecessary_wraps, reason = "same signature as with the feature")]
    pub fn start(_: (&str, &str), _: &str, _: &Settings, _: &Health) -> anyhow::Result<Self> {
        Ok(Self)
    }

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub fn telemetry(&self) -> Telemetry {
        Telemetry::off()
    }

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub fn has_dashboard(&self) -> bool {
        false
    }

    pub fn describe(&self, _: serde_json::Value, _: &[Flag], _: &Settings) {}

    #[allow(clippy::unused_self, reason = "same signature as with the feature")]
    pub fn announcements(&self) -> &[String] {
        &[]
    }

    pub fn flush(self) {}
}
