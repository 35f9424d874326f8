//! The `wasi:otel` host service: telemetry of components, within limits, as messages of the OpenTelemetry protocol.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod bindings;
mod component_label;
pub mod conformance;
mod context;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
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
pub use context::OtelCtxBuilder;
pub use host_telemetry::HostTelemetry;
/// The messages of OTLP, from `opentelemetry-proto`.
pub use opentelemetry_proto::tonic as proto;
pub use service::{OtelView, WasiOtel};
pub use tempo_core::{Provide, Service};
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {opentelemetry, tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
