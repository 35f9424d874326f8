#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod bindings;
mod bucket;
mod change;
mod error;
#[cfg(feature = "json")]
mod json;
mod keys;
mod options;
mod swap;
mod update;

#[doc(hidden)]
pub mod __private;

pub use bucket::Bucket;
pub use change::Change;
pub use error::Error;
pub use keys::{Keys, Page};
pub use options::{SetOptions, UpdateOptions};
pub use swap::{Entry, Expected, Swap, Version};
pub use tempo_sdk_macros::watcher;
