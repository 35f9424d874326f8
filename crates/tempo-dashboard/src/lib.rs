//! The dashboard of Tempo's runtimes.
//!
#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod convert;
mod dashboard;
mod events;
mod field;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod intake;
mod recent;
mod rows;
mod token;
mod walk;

pub use dashboard::{DASHBOARD, Dashboard};
pub use recent::Recent;
pub use token::{DASHBOARD_TOKEN, Token};
