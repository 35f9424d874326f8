//! Keyvalue stores for WebAssembly components.

mod backend;
mod error;

pub use backend::{Change, Condition, Entry, Store, Version};
pub use error::{Error, ErrorKind, Result};
