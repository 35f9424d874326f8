#![doc = include_str!("../README.md")]

mod bindings;
#[cfg(feature = "log")]
mod log_backend;
mod macros;
mod message;

#[cfg(feature = "log")]
pub use log_backend::init;
pub use message::{Level, log};
