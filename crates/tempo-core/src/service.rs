//! What a host service is, and how a store's data lends it its state.

use wasmtime::component::{HasData, Linker};

/// One host service: the WIT interfaces it offers, and how they are linked.
///
/// Implemented by a unit type that is also the service's [`HasData`] marker. Its `Data<'a>` is a view that borrows the
/// service's state and, where it needs one, the store's resource table.
pub trait Service: HasData + Sized {
    /// The interfaces offered, without versions: `wasi:keyvalue/store`. The linker judges versions.
    const INTERFACES: &'static [&'static str];

    /// The packages offered, with versions: `wasi:keyvalue@0.2.0-draft2`. Used to name the nearest version when a
    /// component imports one that is not offered, never to decide what is linked.
    const PACKAGES: &'static [&'static str];

    /// Those of [`PACKAGES`](Service::PACKAGES) that are linked only when the engine supports concurrency, because
    /// they have async functions. A component that imports one gets such an engine, whatever it uses of it.
    const CONCURRENT_PACKAGES: &'static [&'static str] = &[];

    /// Adds every function of the service to `linker`.
    ///
    /// Functions with an async WIT type can only be added when the engine supports concurrency; a service that offers
    /// both kinds leaves its [`CONCURRENT_PACKAGES`](Service::CONCURRENT_PACKAGES) out when the engine does not.
    fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()>;
}

/// Implemented by a store's data for each service that it carries.
///
/// [`provide`](Provide::provide) is the getter that `bindgen!`'s `add_to_linker::<T, S>(linker, T::provide)` expects.
#[diagnostic::on_unimplemented(
    message = "this runtime does not provide `{S}`",
    note = "add `{S}` with its backend to the services of `runtime!`, or implement `Provide<{S}>` for the store's data"
)]
pub trait Provide<S: Service>: Send + 'static {
    /// Lends the service's state for the duration of one host call.
    fn provide(&mut self) -> S::Data<'_>;
}
