//! Middleware: links the handler of `wasi:http` as an import, which passes a request on to the next component.

mod p2;
mod p3;
mod shared_body;

use tempo_core::StoreData;
use wasmtime::component::InstancePre;

pub(crate) use p2::{add_to_linker as add_p2_to_linker, keep};
pub(crate) use p3::add_to_linker as add_p3_to_linker;
pub(crate) use shared_body::SharedBody;

/// The interfaces that middleware imports and exports, one of them.
pub(crate) const HANDLERS: &str = "wasi:http/handler@0.3.0 or wasi:http/incoming-handler@0.2";

/// The error of a call that came without a next component.
const NO_NEXT: &str = "no handler follows this middleware";

/// Returns the handler that `component` imports, if it imports one.
pub(crate) fn imported(component: &InstancePre<StoreData>) -> Option<String> {
    let component = component.component();
    let ty = component.component_type();
    let mut names = ty.imports(component.engine()).map(|(name, _)| name);
    names.find(|name| is_handler(name)).map(str::to_owned)
}

/// Returns whether `interface` is a handler.
pub(crate) fn is_handler(interface: &str) -> bool {
    ["wasi:http/handler@0.3.", "wasi:http/incoming-handler@0.2."].iter().any(|start| interface.starts_with(start))
}
