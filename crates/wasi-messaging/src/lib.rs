//! The messaging host service: at-least-once messaging for components, on any backend.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod allowed;
mod backends;
mod bindings;
mod body;
mod check;
mod client;
mod consumer;
mod context;
mod draft;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod labels;
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
pub use context::MessagingCtxBuilder;
pub use limits::MessagingLimits;
pub use service::{MessagingCtx, MessagingView, WasiMessaging};
pub use tempo_core::{Provide, Service};
pub use tempo_messaging::{
    Adoption, Broker, Consumer, ConsumerConfig, ConsumerInfo, ConsumerMove, DeadLetter, Delivery, Error, ErrorKind,
    File, FileBroker, Handling, HeaderCount, INBOX, MESSAGE_ID, Memory, MemoryBroker, Message, Moved, Operator, Owner,
    Receipt, Refusal, Result, Start, StreamInfo, Subscription, topic,
};
#[cfg(feature = "tool")]
pub use tool::Messages;
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
