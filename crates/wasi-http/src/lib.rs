//! `wasi:http` 0.2 and 0.3 for wasmtime: a server that drives components, and a client with an egress policy.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod chain;
mod client;
mod component_host;
mod context;
mod egress;
mod fields;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handlers;
mod held;
mod host_fed;
mod middleware;
mod requests;
mod server;
mod service;
mod telemetry;

pub use backend::HttpClient;
pub use client::{Client, ClientConfig, Hooks, Transmission};
pub use context::{HttpCtx, HttpCtxBuilder};
pub use egress::{AddressKind, Denied, GrantError, Host, Policy, Scheme, Target};
pub use held::HeldBytes;
pub use server::HttpServer;
pub use service::{HttpView, WasiHttp};
pub use tempo_core::{Provide, Service};
// The crates whose types are in signatures here, so that an embedder needs this crate and wasmtime only.
#[doc(no_inline)]
pub use {tempo_backend, tempo_core, tempo_settings, tempo_telemetry};
