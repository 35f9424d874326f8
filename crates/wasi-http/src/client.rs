//! The HTTP client of `wasi:http` outgoing requests: pooled, limited, and subject to the egress policy.
//!
//! A process has one [`Client`]. [`Hooks`] connect it to `wasi:http` 0.2 and 0.3 in a store.
//!
//! The client does not follow redirects: the target of a redirect is a new request, which the policy checks.

mod config;
mod connect;
mod dial;
mod download;
mod error;
mod hooks;
mod next;
mod peek;
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
pub(crate) use next::NextHooks;
#[cfg(feature = "fuzzing")]
pub(crate) use request::strip;
pub use send::Client;
pub use transmission::Transmission;
