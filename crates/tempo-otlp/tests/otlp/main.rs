//! Delivery to a collector, and failures of the collector.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod delivery;
mod differential;
mod failures;
mod guests;
mod support;
mod tls;
