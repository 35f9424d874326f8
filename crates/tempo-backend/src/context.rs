//! What a backend may use while it is opened.

use tempo_settings::Settings;
use tempo_telemetry::Health;

/// What a backend may use while it is opened.
#[derive(Clone, Copy, Debug)]
pub struct BackendContext<'a> {
    /// The parsed flags, environment variables and `.env` values.
    pub settings: &'a Settings,
    /// Where the backend registers its readiness checks: see [`Health::add_readiness_check`]. `None` in an embedding without them.
    pub health: Option<&'a Health>,
}

impl<'a> BackendContext<'a> {
    /// The context of an embedding that does not check readiness.
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, health: None }
    }
}
