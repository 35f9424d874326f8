//! `wasi:http` 0.2 and 0.3 for wasmtime: a server that drives components, and a client with an egress policy.
//!
//! [`WasiHttp`] is the service, [`HttpClient`] its backend in Tempo, and [`HttpServer`] the trigger that calls
//! components. The host functions are those of `wasmtime-wasi-http`; this crate adds what a server on the open internet
//! needs: limits, overload protection, draining, and a client that enforces an egress policy.
//!
//! Other embeddings provide [`Hooks`] over a [`Client`], and a byte budget:
//!
//! ```
//! use tempo_backend::ByteBudget;
//! use tempo_core::{Provide, Service as _};
//! use tempo_wasi_http::{Client, ClientConfig, HeldBytes, Hooks, HttpView, Policy, WasiHttp};
//! use wasmtime::component::{Linker, ResourceTable};
//! use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};
//!
//! struct StoreData {
//!     table: ResourceTable,
//!     http: WasiHttpCtx,
//!     hooks: Hooks,
//!     held: HeldBytes,
//! }
//!
//! impl Provide<WasiHttp> for StoreData {
//!     fn provide(&mut self) -> HttpView<'_> {
//!         let http = WasiHttpCtxView { table: &mut self.table, ctx: &mut self.http, hooks: &mut self.hooks };
//!         HttpView { http, held: &mut self.held }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = wasmtime::Engine::default();
//! let mut linker = Linker::<StoreData>::new(&engine);
//! WasiHttp::add_to_linker(&mut linker)?;
//! let policy = Policy::new(["https://api.example.com"], [])?;
//! let client = Client::new(ClientConfig::default(), policy)?;
//! let budget = ByteBudget::new(32 << 20);
//! let data = StoreData {
//!     table: ResourceTable::new(),
//!     http: WasiHttpCtx::new(),
//!     hooks: Hooks::new(client).with_budget(&budget),
//!     held: HeldBytes::new(&budget),
//! };
//! let _store = wasmtime::Store::new(&engine, data);
//! # Ok(())
//! # }
//! ```

mod backend;
mod client;
mod egress;
mod fields;
mod held;
mod host_fed;
mod requests;
mod server;
mod service;
mod telemetry;

pub use backend::{HttpClient, HttpCtx};
pub use client::{Client, ClientConfig, Hooks, Transmission};
pub use egress::{AddressKind, Denied, GrantError, Host, Policy, Scheme, Target};
pub use held::HeldBytes;
pub use server::HttpServer;
pub use service::{HttpView, WasiHttp};
