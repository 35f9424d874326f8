//! The pages of the runtime as others see them: machines that ask `--admin`, and a developer who looks at `--dashboard`.

mod admin;
mod browser;
mod dashboard;
mod story;
mod support;
