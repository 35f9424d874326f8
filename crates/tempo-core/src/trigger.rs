//! What calls components: servers, consumers, timers.

use std::time::Instant;

use async_trait::async_trait;
use tempo_settings::{Error, Flag, Settings};

use crate::{Service, Workload};

/// A source of calls into components, such as an HTTP server or a message consumer.
///
/// A trigger is started only when the component exports one of its [`EXPORTS`](Trigger::EXPORTS).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a trigger",
    note = "list under `triggers` of `runtime!` only what implements `Trigger`, such as an HTTP server"
)]
#[async_trait]
pub trait Trigger: Send + Sync + 'static {
    /// The service that the calls need: its resources are passed to the component. [`NoService`](crate::NoService) if they
    /// need none.
    type Service: Service;

    /// The exported interfaces this trigger calls, without versions: `wasi:http/incoming-handler`.
    const EXPORTS: &'static [&'static str];

    /// The flags this trigger reads. Each is also an environment variable.
    fn flags() -> Vec<Flag>;

    /// Binds, subscribes or schedules, and returns once calls can arrive. `state` is what a store carries for the
    /// trigger's service.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] names the address or the setting that failed and what to change.
    async fn start(
        workload: Workload,
        settings: &Settings,
        state: <Self::Service as Service>::State,
    ) -> anyhow::Result<Box<dyn Running>>;
}

/// A started trigger: the owner of its tasks and threads.
#[async_trait]
pub trait Running: Send {
    /// One line for the user that says what is ready, such as `listening on http://127.0.0.1:8080`.
    fn announcement(&self) -> String;

    /// Logs what the user should know of the start. Nothing is logged before the announcements of all triggers, so that the
    /// first line is the address.
    fn announced(&self) {}

    /// Why the trigger never calls the component as it is configured, and what to change, if that is so. A runtime warns
    /// of it, or does not serve at all if it has no other trigger.
    fn unused(&self) -> Option<Error> {
        None
    }

    /// Resolves only if the trigger can no longer work, with the reason.
    async fn failed(&mut self) -> anyhow::Error;

    /// Fetches no further work that another program can fetch instead, and goes on with what clients send. A runtime calls it at
    /// the beginning of `--shutdown-delay`, some time before [`drain`](Running::drain).
    fn stop_fetching(&mut self) {}

    /// Takes no further calls and finishes those that run; whatever is left at `deadline` is abandoned.
    async fn drain(self: Box<Self>, deadline: Instant);
}
