//! Fuzz targets: the parsers of hostile input, each with the invariants of its results.
//!
//! A target is a function over bytes. The unit tests of this crate run each for two seconds with mutations of valid inputs;
//! `cargo +nightly fuzz run --features programs NAME`, with cargo-fuzz installed, runs one with libFuzzer for any time.
#![allow(clippy::expect_used, reason = "a target fails by panicking")]

pub mod backend_urls;
pub mod egress_grants;
pub mod env_file;
pub mod http_fields;
mod input;
pub mod messages;
#[cfg(test)]
mod mutator;
pub mod otel_values;
pub mod otlp_intake;
pub mod precompiled;
mod replay;
pub mod settings_file;
#[cfg(test)]
mod short;
mod target;
pub mod topics;

pub use replay::replay;
pub use target::{Outcome, TARGETS, Target};
