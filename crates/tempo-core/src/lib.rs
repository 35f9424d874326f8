//! The seam between a runtime of WebAssembly components and its host services.
//!
//! A *service* ([`Service`]) is a set of WIT interfaces that a host offers. A store's data *provides* it ([`Provide`])
//! by lending a view of the service's state. A *backend* ([`Backend`]) is what stands behind a service in one
//! deployment: it is connected once and then equips each store. A *trigger* ([`Trigger`]) calls components: it has a
//! [`Workload`], which makes stores and instances under the runtime's [`Limits`]. A *tool* ([`Tool`]) is for operators.
//! Nothing here starts a thread, reads the environment or knows a particular service: it works in any embedding.
//!
//! ```
//! use tempo_core::{Provide, Service};
//! use wasmtime::component::{HasData, Linker};
//!
//! /// Offers `acme:time/clock`, with one function `now: func() -> u64`.
//! struct AcmeTime;
//! impl HasData for AcmeTime {
//!     type Data<'a> = &'a u64;
//! }
//!
//! impl Service for AcmeTime {
//!     const INTERFACES: &'static [&'static str] = &["acme:time/clock"];
//!     const PACKAGES: &'static [&'static str] = &["acme:time@1.0.0"];
//!
//!     fn add_to_linker<T: Provide<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
//!         linker.instance("acme:time/clock@1.0.0")?.func_wrap("now", |mut store, (): ()| {
//!             Ok((*T::provide(store.data_mut()),))
//!         })
//!     }
//! }
//!
//! struct StoreData(u64);
//! impl Provide<AcmeTime> for StoreData {
//!     fn provide(&mut self) -> &u64 {
//!         &self.0
//!     }
//! }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let engine = wasmtime::Engine::default();
//! let mut linker = Linker::<StoreData>::new(&engine);
//! AcmeTime::add_to_linker(&mut linker)?;
//! # Ok(())
//! # }
//! ```

mod admission;
mod backend;
mod byte_budget;
mod call;
pub mod descriptors;
mod error;
mod exceeded;
mod fault;
mod health;
mod limits;
mod log_budget;
mod memory;
mod meter;
mod open_files;
pub mod private;
mod reloadable;
mod scheme;
mod secret;
mod service;
mod setting;
mod settings;
mod shown;
mod store_url;
mod stores;
pub mod telemetry;
mod tool;
mod trigger;
mod warm;
mod workload;

pub use admission::{Admission, Overloaded, Permit};
pub use backend::{Backend, Boot};
pub use byte_budget::{ByteBudget, OverBudget, Reservation};
pub use call::{Call, Spawn};
pub use error::{Error, ErrorKind};
pub use exceeded::{describe, limit_of};
pub use fault::Fault;
pub use health::{Health, Phase, Pulse};
pub use limits::Limits;
pub use log_budget::{Admitted, LogBudget};
pub use memory::StoreLimiter;
pub use meter::{Interrupted, Meter};
pub use open_files::{OpenFile, OpenFiles};
pub use reloadable::Reloadable;
pub use scheme::{Scheme, Schemes};
pub use secret::Secret;
pub use service::{Provide, Service};
pub use setting::{KeyValue, Setting, Size};
pub use settings::{Flag, Place, Settings, Value};
pub use shown::Shown;
pub use store_url::{DEFAULT_STORE, NamedUrl, StoreUrl};
pub use stores::{DATA, Stores};
pub use tool::{Argument, ArgumentForm, Asked, Tool, ToolAction};
pub use trigger::{Running, Trigger};
pub use warm::{CallPlace, Fresh, Idle, Warm};
pub use workload::{Instance, Workload, WorkloadBuilder};
