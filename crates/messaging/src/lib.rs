//! Message brokers, without a WebAssembly runtime.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adoption;
mod backend;
mod delivery;
mod engine;
mod error;
mod file;
mod flag;
mod incoming;
mod memory;
mod message;
mod operator;
pub mod printable;
mod subscription;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod topic;

pub use adoption::{Adoption, ConsumerConfig, Handling, Owner, Refusal};
pub use backend::{Broker, Consumer};
pub use delivery::{Delivery, Receipt};
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileBroker};
pub use flag::MESSAGING;
pub use incoming::{HeaderCount, MAX_HEADER_BYTES, MAX_HEADERS, check_headers};
pub use memory::{Memory, MemoryBroker};
pub use message::{INBOX, MESSAGE_ID, Message};
pub use operator::{ConsumerInfo, ConsumerMove, DeadLetter, Moved, Operator, Start, StreamInfo};
pub use subscription::Subscription;
