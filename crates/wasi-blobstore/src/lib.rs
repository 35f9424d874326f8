//! The blobstore host services: objects for components, in containers on any backend.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backends;
mod bindings;
mod check;
mod context;
mod copies;
mod draft;
mod labels;
mod own;
mod service;
mod telemetry;
mod tempo;
#[cfg(test)]
mod testing;

pub use backends::BlobstoreBackends;
pub use context::BlobstoreCtxBuilder;
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
pub use tempo_core::{Provide, Service};
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
