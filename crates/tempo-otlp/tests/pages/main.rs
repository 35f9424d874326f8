//! The pages of `--admin`, as probes and Prometheus see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admin;
mod guests;
mod prometheus;
#[path = "../../../../tests/shared/pages.rs"]
mod support;
