//! Settings of the Tempo runtime.
//!
#![doc = include_str!("../README.md")]

mod backend_url;
mod error;
pub mod private;
mod reloadable;
mod secret;
mod setting;
mod settings;
mod shown;

pub use backend_url::{BackendUrl, DEFAULT_NAME, NamedUrl};
pub use error::{Error, ErrorKind};
pub use reloadable::Reloadable;
pub use secret::Secret;
pub use setting::{Delay, KeyValue, Setting, Size};
pub use settings::{Flag, Place, Settings, Value};
pub use shown::Shown;
