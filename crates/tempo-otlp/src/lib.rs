//! Telemetry of Tempo's runtimes: an OTLP exporter, Prometheus metrics, health checks, and a dashboard.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod buffer;
mod builder;
mod connect;
mod dashboard;
mod encode;
mod events;
mod exporter;
mod flags;
mod grpc;
mod guest_metrics;
mod hosts;
mod http;
mod intake;
mod log_bridge;
mod losses;
mod metrics;
mod otlp_rows;
mod otlp_walk;
mod pipeline;
mod prometheus;
mod recent;
mod request;
mod resource;
mod retry;
mod rows;
mod sender;
mod server;
mod settings;
mod stop;
mod tee;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod tls;
mod token;
mod transport;
mod values;
mod wire;

pub use admin::{ADMIN, Admin, Health, RuntimePhase};
pub use builder::{Builder, Running, start};
pub use dashboard::{DASHBOARD, Dashboard};
pub use flags::FLAGS;
pub use hosts::{ADMIN_HOST, DASHBOARD_HOST, HostName};
pub use log_bridge::LogBridge;
pub use prometheus::Scrape;
pub use recent::Recent;
pub use rows::LogLine;
pub use server::Listener;
pub use thread::is_telemetry_thread;
pub use token::{DASHBOARD_TOKEN, Token};
