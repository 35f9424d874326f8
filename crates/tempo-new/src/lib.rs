#![doc = include_str!("../README.md")]

mod add;
mod cargo_workspace;
mod commands;
mod file;
mod manifest;
mod name;
mod new;
mod new_files;
mod project;
mod template;

pub use add::Add;
pub use new::New;
