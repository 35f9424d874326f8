//! The messaging host service: messages that are delivered until they are handled, on any backend.
//!
//! | package | functions | what it has |
//! |---|---|---|
//! | `tempo:messaging@0.1.0` | async | `producer`; exported: `handler`, which says how a delivery ended |
//! | `wasi:messaging@0.2.0-draft` | sync | `producer`, `request-reply`; exported: `incoming-handler` |
//! | `wasmcloud:messaging@0.2.0` | sync | `consumer`; exported: `handler` |
//! | `wasmcloud:messaging@0.3.0` | async | the same, with bodies that are streams |
//!
//! All of them are one implementation over one trait, [`Broker`]; [`MemoryBroker`] and [`FileBroker`] are here.
//!
//! The functions are async on the host's side: call components with the async methods of wasmtime. The packages with
//! async functions need an engine that supports concurrency, and are left out of the linkers of others.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_core::{Limits, Provide, Service as _, Stores};
//! use tempo_wasi_messaging::{Broker, MemoryBroker, MessagingState, MessagingView, WasiMessaging};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//!
//! struct StoreData {
//!     messaging: MessagingState,
//!     table: ResourceTable,
//! }
//!
//! impl Provide<WasiMessaging> for StoreData {
//!     fn provide(&mut self) -> MessagingView<'_> {
//!         self.messaging.view(&mut self.table)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> wasmtime::Result<()> {
//! let engine = wasmtime::Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiMessaging::add_to_linker(&mut linker)?;
//!
//! // The component knows it as `default`, and packages without names know no other.
//! let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
//! let messaging = MessagingState::new(Stores::new([("default".to_owned(), broker)]), &Limits::default());
//! let mut store = wasmtime::Store::new(&engine, StoreData { messaging, table: ResourceTable::new() });
//! # let bytes = b"\0asm\x0d\0\x01\0";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate_async(&mut store, &component).await?;
//! # Ok(())
//! # }
//! ```

mod adoption;
mod allowed;
mod backend;
mod bindings;
mod body;
mod brokers;
mod check;
mod client;
pub mod conformance;
mod consumer;
mod draft;
mod engine;
mod error;
mod failure;
mod file;
mod incoming;
mod limits;
mod memory;
mod message;
mod replies;
mod service;
mod subscription;
mod telemetry;
mod tempo;
#[cfg(test)]
mod testing;
mod tool;
pub mod topic;
mod wasmcloud2;
mod wasmcloud3;

pub use adoption::{Adoption, ConsumerConfig, Handling, Owner, Refusal};
pub use allowed::AllowedTopics;
pub use backend::{
    Broker, Consumer, ConsumerInfo, ConsumerMove, DeadLetter, Delivery, Moved, Operator, Receipt, Start, StreamInfo,
};
pub use brokers::MessagingBrokers;
pub use consumer::MessageConsumer;
pub use error::{Error, ErrorKind, Result};
pub use file::{File, FileBroker};
pub use incoming::HeaderCount;
pub use limits::MessagingLimits;
pub use memory::{Memory, MemoryBroker};
pub use message::{INBOX, MESSAGE_ID, Message};
pub use service::{MessagingState, MessagingView, WasiMessaging};
pub use subscription::Subscription;
pub use tool::Messages;

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
