//! The dashboard of Tempo's runtimes.
//!
#![doc = include_str!("../README.md")]

mod convert;
mod dashboard;
mod events;
mod field;
mod intake;
mod recent;
mod rows;
mod token;
mod walk;

pub use dashboard::{DASHBOARD, Dashboard};
pub use recent::Recent;
pub use token::{DASHBOARD_TOKEN, Token};
