#![doc = include_str!("../README.md")]

mod start;

#[doc(hidden)]
pub mod __private;

pub use opentelemetry;
pub use start::{init, root};
pub use tempo_sdk_macros::instrument;
pub use tempo_sdk_trace::{flush, logger};
pub use tracing;
