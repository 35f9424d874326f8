//! The `wasi:config` host service: configuration values for a component, by key.
//!
#![doc = include_str!("../README.md")]

mod backend;
mod bindings;
pub mod conformance;
mod context;
mod error;
mod file;
mod service;
mod store;
mod telemetry;
mod values;
mod variables;

pub use backend::{ConfigCtx, Configuration};
pub use context::ConfigCtxBuilder;
pub use error::Error;
pub use service::{ConfigView, WasiConfig};
pub use tempo_core::{Provide, Service};
pub use values::Values;
pub use variables::Variables;
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
