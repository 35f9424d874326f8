//! `wasi:blobstore@0.2.0-draft`: one file for each interface, and one for each direction that values take.
//!
//! Where the interface is silent: `create-container` opens a container that exists. A configured one always exists, so
//! `delete-container` deletes its objects and leaves an empty container, as if it had been created again. Without
//! `--blobstore '*=URL'` no others can be created. The creation time of a container is unknown, and 0.

mod blobstore;
mod container;
mod incoming;
mod names;
mod outgoing;
mod queue;
#[cfg(test)]
mod tests;
mod types;

pub(crate) use container::clear;
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
