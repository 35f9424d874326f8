//! The messaging host service: messages that are delivered until they are handled, on any backend.

mod backend;
mod bindings;
mod body;
mod brokers;
mod budget;
mod check;
mod client;
mod consumer;
mod draft;
pub mod conformance;
mod engine;
mod error;
mod failure;
mod file;
mod limits;
mod memory;
mod message;
mod service;
mod subscription;
mod tempo;
#[cfg(test)]
mod testing;
pub mod topic;
mod wasmcloud2;
mod wasmcloud3;

pub use backend::{Broker, Consumer, ConsumerInfo, DeadLetter, Delivery, Operator, Receipt, StreamInfo};
pub use brokers::MessagingBrokers;
pub use consumer::MessageConsumer;
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileBroker};
pub use limits::MessagingLimits;
pub use memory::{Memory, MemoryBroker};
pub use message::{INBOX, MESSAGE_ID, Message};
pub use service::{MessagingState, MessagingView, WasiMessaging};
pub use subscription::Subscription;
