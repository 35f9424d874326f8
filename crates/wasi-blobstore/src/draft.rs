//! `wasi:blobstore@0.2.0-draft`: one file for each interface, and one for each direction that values take.
//!
//! Where the interface is silent: the containers that exist are those that are configured, so `create-container` opens
//! a configured one and refuses any other name, and `delete-container` deletes all objects and leaves an empty
//! container, as if it had been created again. The creation time of a container is unknown, and 0.

mod blobstore;
mod container;
mod incoming;
mod names;
mod outgoing;
mod queue;
#[cfg(test)]
mod tests;
mod types;

#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use incoming::IncomingValue;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use names::ObjectNames;
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use outgoing::OutgoingValue;

/// A host function's answer: an error is text to the guest.
type Answer<T> = wasmtime::Result<Result<T, String>>;

/// Turns what a backend said into an answer.
fn answer<T>(result: crate::Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| error.to_string()))
}
