//! What stands for `reporting` in a runtime that is built without telemetry: nothing is told.

use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, Telemetry};
use tracing_subscriber::{Layer, Registry};

/// None.
pub fn flags() -> Vec<Flag> {
    Vec::new()
}

/// None.
pub fn log_layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    None
}

/// No reporting.
pub struct Reporting;

impl Reporting {
    /// Starts nothing, and cannot fail.
    #[allow(clippy::unnecessary_wraps, reason = "as in a runtime that is built with telemetry")]
    pub fn start(_: (&str, &str), _: &str, _: &Settings, _: &Health) -> anyhow::Result<Self> {
        Ok(Self)
    }

    /// Off.
    #[allow(clippy::unused_self, reason = "as in a runtime that is built with telemetry")]
    pub fn telemetry(&self) -> Telemetry {
        Telemetry::off()
    }

    /// Nobody.
    #[allow(clippy::unused_self, reason = "as in a runtime that is built with telemetry")]
    pub fn is_shown(&self) -> bool {
        false
    }

    /// Nobody asks.
    pub fn describe(&self, _: serde_json::Value, _: &[Flag], _: &Settings) {}

    /// None.
    #[allow(clippy::unused_self, reason = "as in a runtime that is built with telemetry")]
    pub fn announcements(&self) -> &[String] {
        &[]
    }

    /// Nothing is left.
    pub fn flush(self) {}
}
