//! The pages of the runtime as others see them: machines that ask `--admin`, and a developer who looks at `--dashboard`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admin;
mod browser;
mod dashboard;
mod guests;
mod intake;
mod story;
mod support;
