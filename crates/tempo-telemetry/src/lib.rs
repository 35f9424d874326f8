//! The telemetry of Tempo's runtimes: spans, metrics and logs of the host and its guests, sent by OTLP.
//!
#![doc = include_str!("../README.md")]

mod buffer;
mod builder;
mod connect;
mod encode;
mod exporter;
mod flags;
mod grpc;
mod http;
mod losses;
mod metrics;
mod pipeline;
mod request;
mod resource;
mod retry;
mod sender;
mod settings;
mod stop;
mod tee;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod tls;
mod transport;
mod values;
mod wire;

pub use builder::{Builder, Running, start};
pub use flags::FLAGS;
pub use thread::is_telemetry_thread;
