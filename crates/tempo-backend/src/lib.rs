//! Shared by the backends of Tempo's services.
//!
#![doc = include_str!("../README.md")]

mod backends;
mod byte_budget;
mod context;
mod fault;
mod scheme;

pub use backends::{Backends, DATA};
pub use byte_budget::{ByteBudget, OverBudget, Reservation};
pub use context::BackendContext;
pub use fault::Fault;
pub use scheme::{BackendScheme, BackendSchemes};
