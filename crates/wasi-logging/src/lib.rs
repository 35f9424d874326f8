//! The `wasi:logging` host service: log messages of components, with limits on their number and length.
//!
//! It offers `wasi:logging/logging` as version `0.1.0-draft` and without a version, as it was first published. What a
//! guest writes is hostile input: lines are clipped, lines beyond a rate are dropped and counted, and characters that
//! could pass for another log line or steer a terminal are escaped, before a [`LogSink`] gets to see them.
//!
//! [`Events`] is the sink that makes a `tracing` event of each line, with the target `guest`; [`TracingLog`] is the backend
//! of a runtime that writes to it.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_logging::{Events, LoggingCtx, LoggingView, WasiLogging};
//! use wasmtime::component::{Component, Linker};
//! use wasmtime::{Engine, Store};
//!
//! struct StoreData {
//!     logging: LoggingCtx,
//! }
//!
//! impl Provide<WasiLogging> for StoreData {
//!     fn provide(&mut self) -> LoggingView<'_> {
//!         self.logging.view()
//!     }
//! }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let engine = Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiLogging::add_to_linker(&mut linker)?;
//!
//! // Clones of one state share its limits, so make one for each component and clone it for each store.
//! let logging = LoggingCtx::new("shop", Arc::new(Events), &Limits::default());
//! let mut store = Store::new(&engine, StoreData { logging: logging.clone() });
//! # let bytes = "(component)";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate(&mut store, &component)?;
//! # Ok(())
//! # }
//! ```

mod backend;
mod bindings;
mod escape;
mod events;
mod logging;
mod service;
mod telemetry;

pub use backend::{Level, LogSink, LoggingCtx, Record};
pub use events::{Events, TracingLog};
pub use service::{LoggingView, WasiLogging};
