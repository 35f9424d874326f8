//! The `wasi:logging` host service: log messages of components, with limits on their number and length.
//!
#![doc = include_str!("../README.md")]

mod backend;
mod bindings;
mod context;
mod escape;
mod events;
mod logging;
mod service;
mod telemetry;

pub use backend::{Level, LogSink, LoggingCtx, Record};
pub use context::LoggingCtxBuilder;
pub use events::{Events, TracingLog};
pub use service::{LoggingView, WasiLogging};
pub use tempo_core::{Provide, Service};
