//! Containers of objects, without a WebAssembly runtime.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
#[cfg(feature = "cloud")]
mod cloud;
mod error;
mod file;
mod flag;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod memory;
mod record;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use backend::{ByteRange, CHUNK, Container, Data, Entry, MAX_NAME, ObjectInfo, PutOptions, Upload};
#[cfg(feature = "azure")]
pub use cloud::Azure;
#[cfg(feature = "gcp")]
pub use cloud::GoogleCloud;
#[cfg(feature = "cloud")]
pub use cloud::ObjectStore;
#[cfg(feature = "aws")]
pub use cloud::S3;
pub use error::{Error, ErrorKind, Result};
pub use file::File;
pub use flag::BLOBSTORE;
pub use memory::Memory;
