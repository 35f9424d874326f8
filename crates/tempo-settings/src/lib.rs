//! Settings of the Tempo runtime.
//!
#![doc = include_str!("../README.md")]

mod error;
pub mod private;
mod reloadable;
mod secret;
mod setting;
mod settings;
mod shown;
mod backend_url;

pub use error::{Error, ErrorKind};
pub use reloadable::Reloadable;
pub use secret::Secret;
pub use setting::{Delay, KeyValue, Setting, Size};
pub use settings::{Flag, Place, Settings, Value};
pub use shown::Shown;
pub use backend_url::{DEFAULT_NAME, NamedUrl, BackendUrl};
