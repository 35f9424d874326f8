#![doc = include_str!("../README.md")]
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bindings;
mod client;
mod delivery;
mod draft;
mod error;
mod handler;
#[cfg(feature = "json")]
mod json;
mod message;

#[doc(hidden)]
pub mod __private;

pub use client::{Client, publish_many};
pub use delivery::Delivery;
pub use draft::Draft;
pub use error::{Error, ErrorKind};
pub use handler::{HandlerError, IntoDisposition};
#[cfg(feature = "json")]
pub use json::{publish, request};
pub use message::Message;
pub use tempo_sdk_macros::messaging_handler as handler;
