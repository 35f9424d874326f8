//! `Trigger`: a server, consumer or timer that calls components.

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
    /// The service whose resources the calls pass to the component; [`NoService`](crate::NoService) if there is none.
    type Service: Service;

    /// The exported interfaces this trigger calls, without versions: `wasi:http/incoming-handler`.
    const EXPORTS: &'static [&'static str];

    /// The flags this trigger reads. Each is also an environment variable.
    fn flags() -> Vec<Flag>;

    /// Binds, subscribes or schedules, and returns once calls can arrive. `state` is a store's state of the trigger's
    /// service.
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

/// A started trigger, which owns its tasks and threads.
#[async_trait]
pub trait Running: Send {
    /// Returns one line for the user, such as `listening on http://127.0.0.1:8080`.
    fn announcement(&self) -> String;

    /// Logs notices about the start. A runtime calls it after it has written the announcements of all triggers, so that the
    /// first line is the address.
    fn log_start(&self) {}

    /// Returns an error if the trigger never calls the component as it is configured. A runtime logs it as a warning, and
    /// exits with it if it has no other trigger.
    fn unused(&self) -> Option<Error> {
        None
    }

    /// Resolves with the reason when the trigger has failed; else never.
    async fn failed(&mut self) -> anyhow::Error;

    /// Stops fetching work that another program can fetch instead, and keeps serving clients. A runtime calls it at the start
    /// of `--shutdown-delay`, before [`drain`](Running::drain).
    fn stop_fetching(&mut self) {}

    /// Stops accepting calls and waits for running ones; calls that still run at `deadline` are abandoned.
    async fn drain(self: Box<Self>, deadline: Instant);
}
