//! Keyvalue stores for WebAssembly components.

mod atomics;
mod backend;
mod batch;
mod bindings;
mod bucket;
mod changes;
pub mod conformance;
mod draft;
mod draft2;
mod error;
mod failure;
mod file;
mod limits;
mod memory;
mod service;
mod stores;
mod wasmcloud;
mod watcher;

pub use backend::{Change, Condition, Entry, Store, Version};
pub use bucket::Bucket;
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileStore};
pub use limits::KeyValueLimits;
pub use memory::{Memory, MemoryStore};
pub use service::{KeyValueState, KeyValueView, WasiKeyValue};
pub use stores::KeyValueStores;
pub use watcher::KeyValueWatcher;
