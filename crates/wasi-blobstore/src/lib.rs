//! The host services `wasi:blobstore` and `tempo:blobstore`: objects for components, in containers on any backend.
//!
//! | interface | version |
//! |---|---|
//! | `wasi:blobstore/blobstore`, `container`, `types` | `0.2.0-draft`, over the streams of `wasi:io` |
//! | `tempo:blobstore/store` | `0.1.0`, async, over `stream<u8>` |
//!
//! Both are one implementation over one trait, [`Container`]. A component opens containers by the names that the host
//! gave them, and no others. Objects are streamed in both directions and never held whole: a reader that is slow slows
//! its backend down, and a writer is slowed down by its backend. An upload that does not complete leaves nothing.
//!
//! [`Memory`] and [`File`] are the embedded backends, and `ObjectStore` is any store of the crate `object_store`, with the
//! features `aws`, `azure` and `gcp` for those of the clouds. A Tempo runtime opens its containers through
//! [`BlobstoreBackends`], from `--blobstore [NAME=]URL`. All backends are in [`tempo_blobstore`], with a test kit for others.
//!
//! The functions are async on the host's side: call components with the async methods of wasmtime.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_backend::Backends;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_blobstore::{BlobstoreCtx, BlobstoreView, Container, Memory, WasiBlobstore};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::{Engine, Store};
//!
//! struct StoreData {
//!     table: ResourceTable,
//!     blobstore: BlobstoreCtx,
//! }
//!
//! impl Provide<WasiBlobstore> for StoreData {
//!     fn provide(&mut self) -> BlobstoreView<'_> {
//!         self.blobstore.view(&mut self.table)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> wasmtime::Result<()> {
//! let engine = Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiBlobstore::add_to_linker(&mut linker)?;
//!
//! let container: Arc<dyn Container> = Arc::new(Memory::default());
//! let containers = Backends::new([("photos".to_owned(), container)]);
//! let blobstore = BlobstoreCtx::new(containers, 1 << 30, &Limits::default());
//! let mut store = Store::new(&engine, StoreData { table: ResourceTable::new(), blobstore });
//! # let bytes = b"\0asm\x0d\0\x01\0";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate_async(&mut store, &component).await?;
//! # Ok(())
//! # }
//! ```
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backends;
mod bindings;
mod check;
mod copies;
mod draft;
mod service;
mod telemetry;
mod tempo;
#[cfg(test)]
mod testing;

pub use backends::BlobstoreBackends;
pub use service::{BlobstoreCtx, BlobstoreView, WasiBlobstore};
#[cfg(feature = "azure")]
pub use tempo_blobstore::Azure;
#[cfg(feature = "gcp")]
pub use tempo_blobstore::GoogleCloud;
#[cfg(feature = "cloud")]
pub use tempo_blobstore::ObjectStore;
#[cfg(feature = "aws")]
pub use tempo_blobstore::S3;
pub use tempo_blobstore::{
    ByteRange, Container, Data, Entry, Error, ErrorKind, File, Memory, ObjectInfo, PutOptions, Result, Upload,
};
