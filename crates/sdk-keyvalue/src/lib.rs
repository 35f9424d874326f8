#![doc = include_str!("../README.md")]

mod batch;
mod bindings;
mod bucket;
mod error;
#[cfg(feature = "json")]
mod json;
mod keys;
mod options;
mod swap;
mod update;

pub use bucket::Bucket;
pub use error::Error;
pub use keys::{Keys, Page};
pub use options::SetOptions;
pub use swap::{Entry, Expected, Swap, Version};
