//! `BackendContext`: passed to a scheme that opens a backend.

use tempo_settings::Settings;
use tempo_telemetry::Health;

use crate::{LabelledImport, SharedBackends};

/// The settings and health that a scheme may use while it opens a backend.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BackendContext<'a> {
    /// The parsed flags, environment variables and `.env` values.
    pub settings: &'a Settings,
    /// Receives the backend's readiness checks: see [`Health::add_readiness_check`]. `None` in an embedding without them.
    pub health: Option<&'a Health>,
    /// The backends that the components of the process share. `None` if there is one component only.
    pub shared: Option<&'a SharedBackends>,
    /// The imports under labels of the service's interfaces. Each label must be the name of a backend.
    pub labels: &'a [LabelledImport],
}

impl<'a> BackendContext<'a> {
    /// Creates the context of an embedding without readiness checks.
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, health: None, shared: None, labels: &[] }
    }

    /// Sets the receiver of the readiness checks.
    #[must_use]
    pub fn with_health(self, health: impl Into<Option<&'a Health>>) -> Self {
        Self { health: health.into(), ..self }
    }

    /// Sets the backends that the components of the process share.
    #[must_use]
    pub fn with_shared(self, shared: impl Into<Option<&'a SharedBackends>>) -> Self {
        Self { shared: shared.into(), ..self }
    }

    /// Sets the imports under labels.
    #[must_use]
    pub fn with_labels(self, labels: &'a [LabelledImport]) -> Self {
        Self { labels, ..self }
    }
}
