#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bindings;
#[cfg(feature = "log")]
mod log_backend;
mod macros;
mod message;

#[cfg(feature = "log")]
pub use log_backend::init;
pub use message::{Level, log};
