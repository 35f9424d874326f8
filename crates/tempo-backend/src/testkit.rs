//! The testkit of backends: conformance checks as named trials, model-based tests, and a disk that fails on demand. The testkits
//! of the domain crates are built on it.

mod check;
#[cfg(feature = "redb")]
mod faulty_disk;
pub mod model;

pub use check::{Check, trial, trials};
#[cfg(feature = "redb")]
pub use faulty_disk::{DiskFailure, FaultyDisk};
pub use libtest_mimic::Trial;
