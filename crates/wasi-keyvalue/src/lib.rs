//! The keyvalue host service: stores for WebAssembly components, on any backend.
//!
#![doc = include_str!("../README.md")]

mod atomics;
mod backends;
mod batch;
mod bindings;
mod bucket;
#[cfg(test)]
mod bytes_tests;
mod context;
mod labels;
mod limits;
mod service;
#[cfg(test)]
mod span_tests;
mod tempo_v0_1;
mod wasi_v0_2_draft;
mod wasi_v0_2_draft2;
mod wasi_v0_2_drafts;
mod wasmcloud_v0_2;
mod watcher;

pub use backends::KeyValueBackends;
pub use bucket::Bucket;
pub use context::KeyValueCtxBuilder;
pub use limits::KeyValueLimits;
pub use service::{KeyValueCtx, KeyValueView, WasiKeyValue};
pub use tempo_core::{Provide, Service};
pub use tempo_keyvalue::{
    Change, Condition, Entry, Error, ErrorKind, File, FileStore, Increment, KeyValueStore, Memory, MemoryStore, Result,
    Version,
};
pub use watcher::KeyValueWatcher;
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
