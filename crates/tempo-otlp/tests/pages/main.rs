//! The pages of `--admin`, as probes and Prometheus see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admin;
mod beside;
mod guests;
#[path = "../../../../tests/shared/promtool.rs"]
mod promtool;
#[path = "../../../../tests/shared/pages.rs"]
mod support;

use support::tool;
