#![doc = include_str!("../README.md")]

mod init;

#[doc(hidden)]
pub mod __private;

pub use init::init;
pub use opentelemetry;
pub use tempo_sdk_macros::instrument;
pub use tempo_sdk_trace::{Root, flush, logger};
pub use tracing;
