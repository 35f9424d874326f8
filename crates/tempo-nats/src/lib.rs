//! Stores and brokers on NATS for Tempo's host services.
//!
//! | service | URL | backend |
//! |---|---|---|
//! | keyvalue | `nats://HOST[:4222]/BUCKET` | a bucket of JetStream KV ([`NatsKeyValue`]) |
//! | blobstore | `nats://HOST[:4222]/BUCKET` | a bucket of JetStream's object store ([`NatsBlobstore`]) |
//! | messaging | `nats://HOST[:4222]/STREAM` | a stream of JetStream, or core NATS without a name ([`NatsMessaging`]) |
//!
//! `tls://` in place of `nats://` requires TLS; with `nats://` the client uses TLS if the server offers it. Several servers
//! of one cluster are `nats://a,b,c/NAME`. Credentials are in the URL (`USER:PASSWORD@` or `TOKEN@`) or in flags, each of
//! which is also an environment variable (`TEMPO_NATS_CREDS`).
//!
//! Backends with the same servers and credentials share one connection, which reconnects indefinitely. A request waits up
//! to five seconds for a reconnect and then fails. `--connect-timeout` limits the first connect only.
//!
//! In an embedding, open a store over a client of your own, `NatsKeyValue::new(client, "sessions").await?`, or by its URL, and
//! pass it to the service:
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
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "keyvalue")]
mod key;
#[cfg(feature = "keyvalue")]
mod keyvalue;
#[cfg(any(feature = "blobstore", feature = "keyvalue"))]
mod listing;
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
