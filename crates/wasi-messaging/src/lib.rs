//! The messaging host service: messages that are delivered until they are handled, on any backend.

mod backend;
pub mod conformance;
mod engine;
mod error;
mod file;
mod memory;
mod message;
mod subscription;
pub mod topic;

pub use backend::{Broker, Consumer, ConsumerInfo, DeadLetter, Delivery, Operator, Receipt, StreamInfo};
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileBroker};
pub use memory::{Memory, MemoryBroker};
pub use message::{INBOX, MESSAGE_ID, Message};
pub use subscription::Subscription;
