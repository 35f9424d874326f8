//! Keyvalue stores, without a WebAssembly runtime.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod changes;
mod error;
mod file;
mod flag;
mod increment;
mod memory;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use backend::{Change, Condition, Entry, KeyValueStore, Version};
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileStore};
pub use flag::KEYVALUE;
pub use increment::{Backoff, Increment};
pub use memory::{Memory, MemoryStore};
