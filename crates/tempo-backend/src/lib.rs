//! What the backends of Tempo's services share.
//!
#![doc = include_str!("../README.md")]

mod byte_budget;
mod context;
mod fault;
mod scheme;
mod backends;

pub use byte_budget::{ByteBudget, OverBudget, Reservation};
pub use context::BackendContext;
pub use fault::Fault;
pub use scheme::{BackendScheme, BackendSchemes};
pub use backends::{DATA, Backends};
