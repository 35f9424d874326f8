//! `Export`: an exported interface of a component, and how it is called.

use std::future::Future;

use wasmtime::Store;

use crate::{Instance, StoreData};

/// An exported interface of a component, and how a trigger calls it. [`Instances`](crate::Instances) runs the calls, and has
/// an example.
///
/// A value is the export before instantiation: usually a `Pre` type of `bindgen!`, or an enum of those of several versions.
/// The functions may be written as `async fn`.
pub trait Export: Send + Sync + 'static {
    /// The bindings of an instance.
    type Guest: Send + Sync + 'static;
    /// The arguments of a call.
    type Request: Send + 'static;
    /// The result of a call.
    type Response: Send + 'static;

    /// Creates an instance in `store`.
    ///
    /// # Errors
    ///
    /// Instantiation trapped.
    fn instantiate(&self, store: &mut Store<StoreData>) -> impl Future<Output = wasmtime::Result<Self::Guest>> + Send;

    /// Calls `instance` with `request`, and returns when all its tasks have ended: it serves another call then.
    ///
    /// # Errors
    ///
    /// The guest trapped. The instance is dropped. An error that the guest returned is part of the response.
    fn call(
        &self,
        instance: Instance<'_, Self::Guest>,
        request: Self::Request,
    ) -> impl Future<Output = wasmtime::Result<Self::Response>> + Send;
}
