//! Stores and brokers on NATS for Tempo's host services.
//!
//! | service | URL | what it is there |
//! |---|---|---|
//! | keyvalue | `nats://HOST[:4222]/BUCKET` | a bucket of JetStream KV ([`NatsKeyValue`]) |
//! | blobstore | `nats://HOST[:4222]/BUCKET` | a bucket of JetStream's object store ([`NatsBlobstore`]) |
//! | messaging | `nats://HOST[:4222]/STREAM` | a stream of JetStream, or without a name NATS itself ([`NatsMessaging`]) |
//!
//! `tls://` in place of `nats://` insists on encryption; a server that offers it is spoken to in TLS in any case. Several
//! servers of one cluster are written `nats://a,b,c/NAME`. A user stands in the URL (`USER:PASSWORD@` or `TOKEN@`), or
//! in flags, of which each is also an environment variable (`TEMPO_NATS_CREDS`).
//!
//! All that is on one server and logs in as one user shares one connection. It is lost and found again without end; a
//! request waits five seconds for its return and then fails. Only the start is bounded as a whole, by `--connect-timeout`.
//!
//! In an embedding, open a store by its URL and hand it to the service:
//!
//! ```no_run
//! use std::sync::Arc;
//! use tempo_backend::{BackendContext, BackendScheme as _};
//! use tempo_nats::NatsKeyValue;
//! use tempo_settings::{FlagValue as _, Settings, BackendUrl};
//! use tempo_keyvalue::{Condition, KeyValueStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> anyhow::Result<()> {
//! let url = BackendUrl::parse("nats://localhost:4222/sessions").expect("a URL");
//! let settings = Settings::default();
//! let context = BackendContext::new(&settings);
//! let sessions: Arc<dyn KeyValueStore> = NatsKeyValue::open(&url, context).await?;
//!
//! let version = sessions.set("user/1", "ann".into(), None, Condition::Absent).await?;
//! let entry = sessions.get("user/1").await?.expect("it was just written");
//! assert_eq!((&*entry.value, entry.version), (&b"ann"[..], version));
//! # Ok(())
//! # }
//! ```
// docs.rs shows the feature that an item needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(any(feature = "blobstore", feature = "keyvalue", feature = "messaging")))]
compile_error!("tempo-nats needs at least one of its features `blobstore`, `keyvalue` and `messaging`");

mod address;
#[cfg(feature = "blobstore")]
mod blobstore;
mod connection;
mod error;
#[cfg(any(feature = "blobstore", feature = "keyvalue"))]
mod fetch;
#[cfg(feature = "keyvalue")]
mod key;
#[cfg(feature = "keyvalue")]
mod keyvalue;
mod login;
#[cfg(feature = "messaging")]
mod messaging;
mod options;
#[cfg(any(feature = "keyvalue", feature = "messaging"))]
mod pull;

#[cfg(feature = "blobstore")]
pub use blobstore::NatsBlobstore;
#[cfg(feature = "keyvalue")]
pub use keyvalue::NatsKeyValue;
#[cfg(feature = "messaging")]
pub use messaging::NatsMessaging;
