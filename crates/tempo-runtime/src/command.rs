//! Runs a component that exports `wasi:cli/run`, once.

use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use tempo_core::{CallError, Export, Instance, Instances, StoreData, Workload, limit_of};
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::{p2, p3};

use crate::interfaces::Interfaces;
use crate::registry::unversioned;

/// The interface that commands export, without its version.
pub(crate) const RUN: &str = "wasi:cli/run";

/// Returns whether the component is a command.
pub(crate) fn is_command(interfaces: &Interfaces) -> bool {
    interfaces.exports.iter().any(|export| unversioned(export) == RUN)
}

/// The exported `wasi:cli/run`, ready for instantiation.
enum Command {
    P2(p2::bindings::CommandPre<StoreData>),
    P3(p3::bindings::CommandPre<StoreData>),
}

/// The `wasi:cli/run` of an instance.
enum Guest {
    P2(p2::bindings::Command),
    P3(p3::bindings::Command),
}

impl Command {
    fn find(component: &InstancePre<StoreData>, interfaces: &Interfaces) -> wasmtime::Result<Self> {
        if interfaces.exports.iter().any(|export| export.starts_with("wasi:cli/run@0.3")) {
            return p3::bindings::CommandPre::new(component.clone()).map(Self::P3);
        }
        p2::bindings::CommandPre::new(component.clone()).map(Self::P2)
    }
}

impl Export for Command {
    type Guest = Guest;
    type Request = ();
    /// The exit status.
    type Response = u8;

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Guest> {
        match self {
            Self::P2(command) => command.instantiate_async(store).await.map(Guest::P2),
            Self::P3(command) => command.instantiate_async(store).await.map(Guest::P3),
        }
    }

    async fn call(&self, instance: Instance<'_, Guest>, (): ()) -> wasmtime::Result<u8> {
        let store = instance.store;
        let result = match instance.guest {
            Guest::P2(guest) => guest.wasi_cli_run().call_run(store).await,
            Guest::P3(guest) => {
                store.run_concurrent(async |accessor| guest.wasi_cli_run().call_run(accessor).await).await.flatten()
            }
        };
        match result {
            Ok(Ok(())) => Ok(0),
            Ok(Err(())) => Ok(1),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                // An exit status is one byte; clamped, so that no failure wraps to success.
                Some(exit) => Ok(u8::try_from(exit.0).unwrap_or(255)),
                None => Err(error),
            },
        }
    }
}

/// Runs the command and returns its exit status.
///
/// # Errors
///
/// The command cannot be instantiated, or traps.
pub(crate) async fn run(workload: Workload, interfaces: &Interfaces) -> anyhow::Result<u8> {
    let command = Command::find(workload.component(), interfaces)?;
    let name = format!("run {}", workload.name());
    let (context, _span) = workload.telemetry().root(SpanKind::Internal, || name.into());
    let permit = workload.admission().wait().await;
    let instances = Arc::new(Instances::new(workload, command, 1));
    instances.run(permit, context, ()).await.map_err(|error| match error {
        CallError::Trapped(trap) => match limit_of(&trap) {
            Some(flag) => trap.context(format!("the command trapped (limit: --{flag})")),
            None => trap.context("the command trapped"),
        }
        .into(),
        CallError::Store(error) => error.into(),
        error => error.into(),
    })
}
