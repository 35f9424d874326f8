//! Runs a component that exports `wasi:cli/run`, once.

use opentelemetry::trace::SpanKind;
use tempo_core::{Workload, limit_of};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::{p2, p3};

use crate::interfaces::Interfaces;
use crate::registry::unversioned;

/// The interface that commands export, without its version.
pub const RUN: &str = "wasi:cli/run";

/// Returns whether the component is a command.
pub fn is_command(interfaces: &Interfaces) -> bool {
    interfaces.exports.iter().any(|export| unversioned(export) == RUN)
}

/// Runs the command and returns its exit status.
///
/// # Errors
///
/// The command cannot be instantiated, or traps.
pub async fn run(workload: Workload, interfaces: &Interfaces) -> anyhow::Result<u8> {
    let modern = interfaces.exports.iter().any(|export| export.starts_with("wasi:cli/run@0.3"));
    let mut instance = workload.store()?;
    let pre = workload.component().clone();
    let deadline = std::time::Instant::now() + workload.limits().request;
    let meter = instance.meter.clone();
    let work = async move {
        let store = &mut instance.store;
        if modern {
            let command = p3::bindings::CommandPre::new(pre)?.instantiate_async(&mut *store).await?;
            store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await?
        } else {
            let command = p2::bindings::CommandPre::new(pre)?.instantiate_async(&mut *store).await?;
            command.wasi_cli_run().call_run(store).await
        }
    };
    let name = format!("run {}", workload.name());
    let (context, _span) = workload.telemetry().root(SpanKind::Internal, || name.into());
    match workload.call(meter, deadline, context, work).await? {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            // An exit status is one byte; clamped, so that no failure wraps to success.
            Some(exit) => Ok(u8::try_from(exit.0).unwrap_or(255)),
            None => Err(match limit_of(&error) {
                Some(flag) => error.context(format!("the command trapped (limit: --{flag})")),
                None => error.context("the command trapped"),
            }
            .into()),
        },
    }
}
