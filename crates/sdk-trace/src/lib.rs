#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(feature = "enabled"))]
mod disabled;
#[cfg(feature = "enabled")]
mod enabled;

#[cfg(not(feature = "enabled"))]
pub use disabled::{RootSpan, headers, task};
#[cfg(feature = "enabled")]
pub use enabled::{RootSpan, flush, headers, install, logger, set_level, task};
