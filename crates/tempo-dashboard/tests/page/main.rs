//! The page of `--dashboard`, as developers, browsers and exporters see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../../../tests/shared/browser.rs"]
mod browser;
mod dashboard;
mod intake;
mod story;
#[path = "../../../../tests/shared/pages.rs"]
mod support;
