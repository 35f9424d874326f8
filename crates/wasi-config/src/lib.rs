//! The `wasi:config` host service: configuration values for a component, by key.
//!
//! | interface | version |
//! |---|---|
//! | `wasi:config/store` | `0.2.0-rc.1`, `0.2.0-draft`, `0.2.0-draft-2024-09-27` |
//! | `wasi:config/runtime` (the first name of `store`) | `0.2.0-draft` |
//!
//! All of them are one implementation over one backend, a [`Configuration`]. [`Values`] is one in memory. A
//! runtime uses [`Variables`], which takes its values from `--config KEY=VALUE` and `--config-file FILE`. A component
//! never sees the environment of the host's process.
//!
//! The functions are async on the host's side, so that a backend may ask a server: call components with the async
//! methods of wasmtime.
//!
//! ```
//! use std::sync::Arc;
//! use tempo_core::{Limits, Provide, Service as _};
//! use tempo_wasi_config::{ConfigCtx, ConfigView, Values, WasiConfig};
//! use wasmtime::component::{Component, Linker};
//! use wasmtime::{Engine, Store};
//!
//! struct StoreData {
//!     config: ConfigCtx,
//! }
//!
//! impl Provide<WasiConfig> for StoreData {
//!     fn provide(&mut self) -> ConfigView<'_> {
//!         self.config.view()
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> wasmtime::Result<()> {
//! let engine = Engine::default();
//! let mut linker = Linker::new(&engine);
//! WasiConfig::add_to_linker(&mut linker)?;
//!
//! let values: Values = [("greeting", "hello")].into_iter().collect();
//! let config = ConfigCtx::new(Arc::new(values), &Limits::default());
//! let mut store = Store::new(&engine, StoreData { config });
//! # let bytes = "(component)";
//! let component = Component::new(&engine, bytes)?;
//! linker.instantiate_async(&mut store, &component).await?;
//! # Ok(())
//! # }
//! ```

mod backend;
mod bindings;
pub mod conformance;
mod error;
mod file;
mod service;
mod store;
mod telemetry;
mod values;
mod variables;

pub use backend::{ConfigCtx, Configuration};
pub use error::Error;
pub use service::{ConfigView, WasiConfig};
pub use values::Values;
pub use variables::Variables;
