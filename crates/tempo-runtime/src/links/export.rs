//! `InterfaceExport`: an exported interface, called with values whose types are known at run time only.

use std::future::poll_fn;

use tempo_core::{Export, Instance, StoreData};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Func, InstancePre, Val};

use super::LinkedFunction;

/// An interface of a component that others call.
pub(super) struct InterfaceExport {
    component: InstancePre<StoreData>,
    functions: Vec<ComponentExportIndex>,
    concurrent: bool,
}

impl InterfaceExport {
    /// Finds `functions` in the export `interface` of `component`, which must have been checked to have them. `concurrent`:
    /// its engine supports concurrency.
    pub(super) fn new(
        component: InstancePre<StoreData>,
        interface: &str,
        functions: &[LinkedFunction],
        concurrent: bool,
    ) -> Option<Self> {
        let exports = component.component();
        let instance = exports.get_export_index(None, interface)?;
        let find = |function: &LinkedFunction| exports.get_export_index(Some(&instance), &function.name);
        let functions = functions.iter().map(find).collect::<Option<Vec<_>>>()?;
        Some(Self { component, functions, concurrent })
    }
}

/// The arguments of a call.
pub(super) struct Arguments {
    /// The index of the function.
    pub(super) function: usize,
    /// The values.
    pub(super) values: Vec<Val>,
    /// The number of results.
    pub(super) results: usize,
    /// The number of calls that wait for this one.
    pub(super) depth: usize,
}

impl Export for InterfaceExport {
    type Guest = Vec<Func>;
    type Request = Arguments;
    type Response = Vec<Val>;

    async fn instantiate(&self, store: &mut Store<StoreData>) -> wasmtime::Result<Vec<Func>> {
        let instance = self.component.instantiate_async(&mut *store).await?;
        let find = |index| instance.get_func(&mut *store, index);
        let functions = self.functions.iter().map(find).collect::<Option<Vec<_>>>();
        functions.ok_or_else(|| wasmtime::Error::msg("the instance lacks a function"))
    }

    async fn call(&self, instance: Instance<'_, Vec<Func>>, arguments: Arguments) -> wasmtime::Result<Vec<Val>> {
        let store = instance.store;
        store.data().depth.set(arguments.depth);
        let function = instance.guest.get(arguments.function);
        let function = function.ok_or_else(|| wasmtime::Error::msg("the interface lacks the function"))?;
        let mut results = vec![Val::Bool(false); arguments.results];
        if !self.concurrent {
            function.call_async(store, &arguments.values, &mut results).await?;
            return Ok(results);
        }
        let called = store.run_concurrent(async |accessor| {
            function.call_concurrent(accessor, &arguments.values, &mut results).await?;
            // Tasks that outlive the function are part of the call.
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            wasmtime::error::Ok(())
        });
        called.await??;
        Ok(results)
    }
}
