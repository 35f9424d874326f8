//! What stands behind a service in one deployment.

use std::future::Future;

use tempo_backend::{BackendContext, ByteBudget};
use tempo_settings::{Flag, Settings};
use tempo_telemetry::{Health, Telemetry};

use crate::{Limits, Service};

/// What a backend may know while it connects.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// The component's name, as it appears in logs and as the default name of its consumers and stores.
    pub component: &'a str,
    /// What the component may use.
    pub limits: &'a Limits,
    /// The parsed flags, environment variables and `.env` values.
    pub settings: &'a Settings,
    /// Where to tell what is done.
    pub telemetry: &'a Telemetry,
    /// Where to say why the runtime is not ready when what the backend depends on is away: see [`Health::add_readiness_check`]. `None`
    /// if nobody asks.
    pub health: Option<&'a Health>,
}

impl<'a> Boot<'a> {
    /// What a backend of `component` may know, where nobody listens to what it tells or asks how it is.
    pub fn new(component: &'a str, limits: &'a Limits, settings: &'a Settings) -> Self {
        static OFF: Telemetry = Telemetry::off();
        Self { component, limits, settings, telemetry: &OFF, health: None }
    }

    /// What the backend that a URL names may use.
    pub fn backend(&self) -> BackendContext<'a> {
        BackendContext { settings: self.settings, health: self.health }
    }
}

/// What stands behind a service: connected once while the runtime boots, and only if the component imports the
/// service; then asked to equip each new store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend of `{S}`",
    note = "in `runtime!` write `name: {S} = BackendOfThatService`"
)]
pub trait Backend<S: Service>: Sized + Send + Sync + 'static {
    /// The flags this backend reads. Each is also an environment variable. A flag that several backends read is listed
    /// by each of them and offered once.
    fn flags() -> Vec<Flag>;

    /// Reads the settings and contacts whatever the backend depends on.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] names the setting or the address that failed and what to change.
    fn connect(boot: Boot<'_>) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// One line for the user that says where data is kept, if the user did not say it.
    fn announcement(&self) -> Option<String> {
        None
    }

    /// Makes the share of one new store. Called for each instance, so it must be cheap and cannot fail. What the service
    /// keeps in memory for the store is reserved in `bytes`, which all services of the store share.
    fn state(&self, bytes: &ByteBudget) -> S::State;
}
