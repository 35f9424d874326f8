//! The `wasi:otel` host service: spans, metrics and log records of components, within limits, as messages of the
//! OpenTelemetry protocol.
//!
//! | interface | version | functions |
//! |---|---|---|
//! | `wasi:otel/tracing` | `0.2.0-rc.2` | `on-start`, `on-end`, `outer-span-context`, `current-span-context` |
//! | `wasi:otel/metrics` | `0.2.0-rc.2` | `export` |
//! | `wasi:otel/logs` | `0.2.0-rc.2` | `on-emit` |
//!
//! A guest's telemetry reaches a [`Collector`] unchanged: ids, parents, times, links, events, status, attributes with
//! nested values, scope and resource. It is hostile input: items beyond the limits and invalid items are dropped and
//! counted.
//!
//! [`HostTelemetry`] is the backend of a runtime: it records all of it in `tempo_telemetry::Telemetry`. A guest is in
//! the trace of the host if it is called with [`tempo_telemetry::within`] a context.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_otel::proto::{logs::v1::LogRecord, metrics::v1::Metric, trace::v1::Span};
//! use tempo_wasi_otel::{Collector, Origin, OtelCtx, OtelView, WasiOtel};
//! use wasmtime::component::{Component, Linker};
//! use wasmtime::{Engine, Store};
//!
//! struct Print;
//!
//! impl Collector for Print {
//!     fn span(&self, origin: Origin<'_>, span: Span) {
//!         println!("{} {span:?}", origin.scope.name);
//!     }
//!     fn metric(&self, _: Origin<'_>, _: Metric) {}
//!     fn log(&self, _: Origin<'_>, _: LogRecord) {}
//! }
//!
//! struct StoreData {
//!     otel: OtelCtx,
//! }
//!
//! impl Provide<WasiOtel> for StoreData {
//!     fn provide(&mut self) -> OtelView<'_> {
//!         self.otel.view()
//!     }
//! }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let engine = Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiOtel::add_to_linker(&mut linker)?;
//!
//! // Clones of one state share its limits, so make one for each component and clone it for each store.
//! let otel = OtelCtx::new(Arc::new(Print), &Limits::default());
//! let mut store = Store::new(&engine, StoreData { otel: otel.clone() });
//! # let bytes = "(component)";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate(&mut store, &component)?;
//! # Ok(())
//! # }
//! ```

mod backend;
mod bindings;
pub mod conformance;
mod host_telemetry;
mod limits;
mod logs;
mod message_budget;
mod metrics;
mod point;
mod service;
mod tracing;
mod types;
mod value;

pub use backend::{Collector, Dropped, Origin, OtelCtx};
pub use host_telemetry::HostTelemetry;
/// The messages of OTLP, from `opentelemetry-proto`.
pub use opentelemetry_proto::tonic as proto;
pub use service::{OtelView, WasiOtel};
