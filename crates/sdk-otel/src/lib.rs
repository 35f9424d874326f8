#![doc = include_str!("../README.md")]

mod init;
mod root;

#[doc(hidden)]
pub mod __private;

pub use init::init;
pub use opentelemetry;
pub use root::root;
pub use tempo_sdk_macros::instrument;
pub use tempo_sdk_trace::{flush, logger};
pub use tracing;
