//! Imports of a component that another component of the app exports, linked by the host.
//!
//! An *isolated* link calls the exporting component in an instance of its own, with its own grants, limits and processor
//! time. Its arguments and results are plain values, which the host copies ([`signature`](self::signature) refuses others).
//! wasmtime cannot poll the event loop of one store within that of another, so a call runs in a task of its own, on the
//! thread of its caller. Dropping the caller aborts the task.

mod app;
mod call;
mod export;
mod failure;
mod signature;
mod size;
#[cfg(test)]
mod tests;

use tempo_core::StoreData;
use wasmtime::component::Linker;

pub(crate) use app::{Link, find};
pub(crate) use call::Callee;
use call::Caller;
use signature::{InterfaceTypes, LinkedFunction, matching};

/// Adds the import of `link` to the linker of a component.
///
/// # Errors
///
/// The interface is in `linker` already, or a function is async and the engine does not support concurrency.
pub(crate) fn add_to_linker(linker: &mut Linker<StoreData>, link: &Link) -> wasmtime::Result<()> {
    let mut instance = linker.instance(&link.import)?;
    for (index, function) in link.functions.iter().enumerate() {
        let callee = link.callee.clone();
        if function.is_async {
            instance.func_new_concurrent(&function.name, move |accessor, _, arguments, results| {
                let caller = accessor.with(|mut access| Caller::of(access.data_mut()));
                let call = callee.clone().call(caller, index, arguments, results.len());
                Box::pin(async move {
                    call::write(results, call.await?);
                    Ok(())
                })
            })?;
        } else {
            instance.func_new_async(&function.name, move |store, _, arguments, results| {
                let caller = Caller::of(store.data());
                let call = callee.clone().call(caller, index, arguments, results.len());
                Box::new(async move {
                    call::write(results, call.await?);
                    Ok(())
                })
            })?;
        }
    }
    Ok(())
}
