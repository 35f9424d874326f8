//! The pages of `--admin` and `--dashboard`, as probes, Prometheus and developers see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admin;
mod browser;
mod dashboard;
mod guests;
mod intake;
mod story;
mod support;
