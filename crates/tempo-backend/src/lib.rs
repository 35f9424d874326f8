//! Shared by the backends of Tempo's services.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backends;
mod byte_budget;
mod context;
#[cfg(feature = "redb")]
pub mod database;
mod error;
mod fault;
mod label;
mod scheme;
mod shared;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use backends::{APP, Backends, DATA, check_store_url};
pub use byte_budget::{ByteBudget, OverBudget, Reservation};
pub use context::BackendContext;
pub use fault::Fault;
pub use label::LabelledImport;
pub use scheme::{BackendScheme, BackendSchemes};
pub use shared::SharedBackends;
