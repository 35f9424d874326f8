//! Support for the code that `#[watcher]` generates. Not public API: it may change in any release.

pub use std::string::String;
pub use std::vec::Vec;

pub use crate::bindings::_export_watcher as export;
pub use crate::bindings::exports::wasmcloud::keyvalue::watcher::Guest;
pub use crate::bindings::wasmcloud::keyvalue::types::Bucket;
use crate::change::FromChange;

/// The bindings, at the path where the export macro looks for its types.
pub mod bindings {
    pub use crate::bindings::*;
}

/// Builds the watcher's argument from the parameters of the host's call.
pub fn change<C: FromChange>(bucket: Bucket, key: String, value: Option<Vec<u8>>) -> C {
    C::from_change(crate::Change { bucket: crate::Bucket { host: bucket }, key, value })
}
