#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batches;
mod bindings;
mod container;
mod error;
mod info;
mod list;
mod options;
mod range;
mod reader;
mod writer;

pub use bytes::Bytes;
pub use container::Container;
pub use error::{Error, ErrorKind};
pub use info::{Entry, Object, ObjectInfo};
pub use list::List;
pub use options::PutOptions;
pub use reader::Reader;
pub use writer::Writer;
