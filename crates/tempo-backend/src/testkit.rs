//! For tests of backends.

#[cfg(feature = "redb")]
mod faulty_disk;

#[cfg(feature = "redb")]
pub use faulty_disk::{DiskFailure, FaultyDisk};
