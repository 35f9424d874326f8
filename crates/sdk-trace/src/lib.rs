#![doc = include_str!("../README.md")]

#[cfg(not(feature = "enabled"))]
mod disabled;
#[cfg(feature = "enabled")]
mod enabled;

#[cfg(not(feature = "enabled"))]
pub use disabled::{RootSpan, headers, task};
#[cfg(feature = "enabled")]
pub use enabled::{RootSpan, flush, headers, install, logger, set_level, task};
