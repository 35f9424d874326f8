//! What stands for `reporting` in a runtime that is built without telemetry: nothing is told.

use tempo_core::telemetry::Telemetry;
use tempo_core::{Flag, Settings};

/// None.
pub fn flags() -> Vec<Flag> {
    Vec::new()
}

/// No reporting.
pub struct Reporting;

impl Reporting {
    /// Starts nothing, and cannot fail.
    #[allow(clippy::unnecessary_wraps, reason = "as in a runtime that is built with telemetry")]
    pub fn start(_: (&str, &str), _: &str, _: &Settings) -> anyhow::Result<Self> {
        Ok(Self)
    }

    /// Off.
    #[allow(clippy::unused_self, reason = "as in a runtime that is built with telemetry")]
    pub fn telemetry(&self) -> Telemetry {
        Telemetry::off()
    }

    /// None.
    #[allow(clippy::unused_self, reason = "as in a runtime that is built with telemetry")]
    pub fn announcements(&self) -> &[String] {
        &[]
    }

    /// Nobody asks.
    pub fn connecting(&self) {}

    /// Nobody asks.
    pub fn ready(&self) {}

    /// Nobody asks.
    pub fn stopping(&self) {}

    /// Nothing is left.
    pub fn flush(self) {}
}
