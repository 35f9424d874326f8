//! What the code that `#[watcher]` writes refers to. Not for use by hand: it may change in any release.

pub use std::string::String;
pub use std::vec::Vec;

pub use crate::bindings::_export_watcher as export;
pub use crate::bindings::exports::wasmcloud::keyvalue::watcher::Guest;
pub use crate::bindings::wasmcloud::keyvalue::types::Bucket;
use crate::change::FromChange;

/// Where the export macro finds its types.
pub mod bindings {
    pub use crate::bindings::*;
}

/// The argument of the watcher, from what the host tells.
pub fn change<C: FromChange>(bucket: Bucket, key: String, value: Option<Vec<u8>>) -> C {
    C::from_change(crate::Change { bucket: crate::Bucket { host: bucket }, key, value })
}
