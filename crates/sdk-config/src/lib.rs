#![doc = include_str!("../README.md")]

mod bindings;
mod error;
mod store;

pub use error::{Error, ErrorKind};
pub use store::{all, get, parse, require};
