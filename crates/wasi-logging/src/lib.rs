//! The `wasi:logging` host service: log messages of components, with limits on their number and length.
//!
#![doc = include_str!("../README.md")]

mod backend;
mod bindings;
mod context;
mod events;
mod logging;
mod service;
mod telemetry;

pub use backend::{Level, LogSink, LoggingCtx, Record};
pub use context::LoggingCtxBuilder;
pub use events::{Events, TracingLog};
pub use service::{LoggingView, WasiLogging};
pub use tempo_core::{Provide, Service};
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
