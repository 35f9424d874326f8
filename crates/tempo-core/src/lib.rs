//! The seam between a runtime of WebAssembly components and its host services.
//!
//! A *service* ([`Service`]) is a set of WIT interfaces that a host offers. A store's data *provides* it ([`Provide`])
//! by lending a view of the service's state. A *backend* ([`Backend`]) implements a service in one deployment: it is
//! connected once and creates the state of each store. A *trigger* ([`Trigger`]) calls components: it has a [`Workload`],
//! and calls an [`Export`] of it in [`Instances`], under the runtime's [`Limits`].
//! This crate starts no thread, reads no environment variable and names no particular service: it works in any embedding.

mod admission;
mod app;
mod app_admission;
mod app_share;
mod backend;
mod call;
mod call_error;
mod chain_depth;
pub mod descriptors;
mod exceeded;
mod export;
mod failure_log;
mod idle;
mod instance;
mod instances;
mod instruments;
mod limits;
mod log_budget;
mod log_tail;
mod log_text;
mod memory;
mod meter;
mod open_files;
mod placement;
mod report_once;
mod resolver;
mod retirement;
mod service;
mod sockets;
mod store_data;
mod trigger;
mod workload;

pub use admission::{Admission, Overloaded, Permit};
pub use app::{AnyComponent, AppCheck, AppComponent, AppEdge, ComponentOutline};
pub use app_admission::{AppAdmission, MAX_CHAIN_DEPTH};
pub use backend::{Backend, BootContext, StoreContext};
pub use call::{BackgroundSpawner, Call};
pub use call_error::CallError;
pub use chain_depth::ChainDepth;
pub use exceeded::{describe, limit_of};
pub use export::Export;
pub use instance::Instance;
pub use instances::{ExportCall, Instances, Returned};
pub use limits::Limits;
pub use log_budget::LogBudget;
pub use log_tail::LogTail;
pub use log_text::escape;
pub use memory::StoreLimiter;
pub use meter::{CpuMeter, Interrupted};
pub use open_files::{OpenFile, OpenFiles};
pub use report_once::ReportOnce;
pub use resolver::Resolver;
pub use retirement::Retired;
pub use service::{NoService, Provide, Service};
pub use sockets::{Acceptor, Sockets};
pub use store_data::{ServiceState, StoreData};
pub use trigger::{Running, Trigger};
pub use wasmtime_wasi::WasiCtx;
pub use wasmtime_wasi_tls::WasiTlsCtx;
pub use workload::{AppHandle, Workload, WorkloadBuilder};
