//! Settings of the Tempo runtime.
//!
#![doc = include_str!("../README.md")]

mod address_kind;
mod address_range;
mod backend_url;
mod disclosure;
mod error;
mod flag;
mod flag_value;
mod host;
mod pem;
pub mod private;
mod reloadable;
mod secret;
mod settings;
mod text_position;
mod value_form;

pub use address_kind::AddressKind;
pub use address_range::AddressRange;
pub use backend_url::{BackendUrl, DEFAULT_NAME, NamedUrl};
pub use disclosure::Disclosure;
pub use error::{Error, ErrorKind, Result, one_line};
pub use flag::{Flag, ValueCheck};
pub use flag_value::{Delay, FlagValue, KeyValue, Size};
pub use host::{Host, HostPattern};
pub use pem::{PemContent, certificates_from_pem, private_key_from_pem};
pub use reloadable::Reloadable;
pub use secret::Secret;
pub use settings::{Settings, Value, ValueSource};
pub use text_position::TextPosition;
pub use value_form::ValueForm;
