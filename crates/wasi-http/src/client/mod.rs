//! The HTTP client behind `wasi:http` outgoing requests: pooled, bounded in every direction, and held to the egress policy.
//!
//! A [`Client`] is made once a process. [`Hooks`] put it behind `wasi:http` 0.2 and 0.3 in a store.
//!
//! Redirects are not followed: to the client a redirect's target is a new request, which the policy judges like any other.

mod config;
mod connect;
mod dial;
mod download;
mod error;
mod hooks;
mod opening;
mod replay;
mod request;
mod send;
mod stream;
mod telemetry;
mod tls;
mod transmission;
mod upload;

pub use config::ClientConfig;
pub use hooks::Hooks;
pub use send::Client;
pub use transmission::Transmission;
