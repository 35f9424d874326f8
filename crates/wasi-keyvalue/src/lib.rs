//! The keyvalue host service: stores for WebAssembly components, on any backend.
//!
//! | package | functions | what it adds |
//! |---|---|---|
//! | `wasi:keyvalue@0.2.0-draft` | sync | `store`, `atomics`, `batch`; exported: `watcher` |
//! | `wasi:keyvalue@0.2.0-draft2` | sync | the same, with compare-and-swap |
//! | `wasmcloud:keyvalue@0.2.0` | async | the same, with lifetimes, prefixes and swaps by version |
//!
//! All of them share one implementation over one trait, [`KeyValueStore`] of [`tempo_keyvalue`], which has the backends
//! [`MemoryStore`] and [`FileStore`] and a test kit for others. [`KeyValueWatcher`] calls components that export a
//! `watcher`.
//!
//! The functions are async on the host's side: call components with the async methods of wasmtime. The package of
//! wasmCloud needs an engine that supports concurrency, and is left out of the linkers of others.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_backend::Backends;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_keyvalue::{KeyValueCtx, KeyValueView, MemoryStore, KeyValueStore, WasiKeyValue};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//!
//! struct StoreData {
//!     keyvalue: KeyValueCtx,
//!     table: ResourceTable,
//! }
//!
//! impl Provide<WasiKeyValue> for StoreData {
//!     fn provide(&mut self) -> KeyValueView<'_> {
//!         self.keyvalue.view(&mut self.table)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> wasmtime::Result<()> {
//! let engine = wasmtime::Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiKeyValue::add_to_linker(&mut linker)?;
//!
//! // The component opens it as `default`. `FileStore::open("app.redb").await?` would survive the process.
//! let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::default());
//! let keyvalue = KeyValueCtx::new(Backends::new([("default".to_owned(), store)]), &Limits::default());
//! let mut store = wasmtime::Store::new(&engine, StoreData { keyvalue, table: ResourceTable::new() });
//! # let bytes = b"\0asm\x0d\0\x01\0";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate_async(&mut store, &component).await?;
//! # Ok(())
//! # }
//! ```

mod atomics;
mod backends;
mod batch;
mod bindings;
mod bucket;
#[cfg(test)]
mod bytes_tests;
mod limits;
mod service;
#[cfg(test)]
mod span_tests;
mod wasi_v0_2_draft;
mod wasi_v0_2_draft2;
mod wasi_v0_2_drafts;
mod wasmcloud_v0_2;
mod watcher;

pub use backends::KeyValueBackends;
pub use bucket::Bucket;
pub use limits::KeyValueLimits;
pub use service::{KeyValueCtx, KeyValueView, WasiKeyValue};
pub use tempo_keyvalue::{
    Change, Condition, Entry, Error, ErrorKind, File, FileStore, KeyValueStore, Memory, MemoryStore, Result, Version,
};
pub use watcher::KeyValueWatcher;

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
