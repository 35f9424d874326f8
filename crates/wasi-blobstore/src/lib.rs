//! Objects.
mod backend;
mod bindings;
mod budget;
mod check;
mod draft;
mod error;
mod file;
mod memory;
mod record;
mod service;
mod stores;
mod tempo;

pub use backend::{ByteRange, Container, Data, Entry, ObjectInfo, PutOptions, Upload};
pub use error::{Error, ErrorKind, Result};
pub use file::File;
pub use memory::Memory;
pub use service::{BlobstoreState, BlobstoreView, WasiBlobstore};
pub use stores::BlobstoreStores;
