//! Telemetry of Tempo's runtimes: an OTLP exporter, Prometheus metrics and health checks.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod builder;
mod config;
mod ended_series;
mod flags;
mod guest_metrics;
mod log_bridge;
mod losses;
mod metrics;
mod otlp;
mod pipeline;
mod resource;
mod settings;
mod stop;
mod tee;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod time;
mod value_text;
mod values;

pub use admin::hosts::{ADMIN_HOST, DASHBOARD_HOST, HostName};
pub use admin::prometheus::{Family, Scrape};
pub use admin::server::{Listener, Pages, Reply};
pub use admin::{ADMIN, Admin, Health, RuntimePhase};
pub use builder::{Builder, Running, start};
pub use config::Config;
pub use flags::FLAGS;
pub use log_bridge::LogBridge;
pub use opentelemetry_sdk::metrics::Temporality;
pub use otlp::exporter::Exporter;
pub use resource::{INSTANCE_ID, SDK, SDK_NAME, instance_id};
pub use tempo_telemetry::Sampler;
pub use thread::is_telemetry_thread;
pub use value_text::value_text;
