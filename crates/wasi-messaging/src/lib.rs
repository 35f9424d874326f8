//! The messaging host service: at-least-once messaging for components, on any backend.
//!
//! | package | functions | what it has |
//! |---|---|---|
//! | `tempo:messaging@0.1.0` | async | `producer`; exported: `handler`, which returns a disposition |
//! | `wasi:messaging@0.2.0-draft` | sync | `producer`, `request-reply`; exported: `incoming-handler` |
//! | `wasmcloud:messaging@0.2.0` | sync | `consumer`; exported: `handler` |
//! | `wasmcloud:messaging@0.3.0` | async | the same, with bodies that are streams |
//!
//! All packages share one implementation over one trait, [`Broker`] of [`tempo_messaging`], which has the embedded
//! broker ([`MemoryBroker`], [`FileBroker`]) and a test kit for others.
//!
//! Host functions are async: call components with wasmtime's async methods. Packages with async functions need an
//! engine with concurrency support, and are omitted from other linkers.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_backend::Backends;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_messaging::{Broker, MemoryBroker, MessagingCtx, MessagingView, WasiMessaging};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//!
//! struct StoreData {
//!     messaging: MessagingCtx,
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
//! // The component opens it as `default`, the only one for packages without names.
//! let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::default());
//! let messaging = MessagingCtx::new(Backends::new([("default".to_owned(), broker)]), &Limits::default());
//! let mut store = wasmtime::Store::new(&engine, StoreData { messaging, table: ResourceTable::new() });
//! # let bytes = b"\0asm\x0d\0\x01\0";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate_async(&mut store, &component).await?;
//! # Ok(())
//! # }
//! ```
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod allowed;
mod backends;
mod bindings;
mod body;
mod check;
mod client;
mod consumer;
mod draft;
mod error;
mod limits;
mod replies;
mod service;
mod telemetry;
mod tempo;
#[cfg(test)]
mod testing;
#[cfg(feature = "tool")]
mod tool;
mod wasmcloud_v0_2;
mod wasmcloud_v0_3;

pub use allowed::AllowedTopics;
pub use backends::MessagingBackends;
pub use consumer::MessageConsumer;
pub use limits::MessagingLimits;
pub use service::{MessagingCtx, MessagingView, WasiMessaging};
pub use tempo_messaging::{
    Adoption, Broker, Consumer, ConsumerConfig, ConsumerInfo, ConsumerMove, DeadLetter, Delivery, Error, ErrorKind,
    File, FileBroker, Handling, HeaderCount, INBOX, MESSAGE_ID, Memory, MemoryBroker, Message, Moved, Operator, Owner,
    Receipt, Refusal, Result, Start, StreamInfo, Subscription, topic,
};
#[cfg(feature = "tool")]
pub use tool::Messages;

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
