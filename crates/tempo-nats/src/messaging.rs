//! Brokers on NATS: a JetStream stream, which stores messages, or core NATS, which does not.

use std::sync::Arc;

use async_trait::async_trait;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_messaging::Broker;
use tempo_settings::{BackendUrl, Flag, Settings};

use crate::address::Address;
use crate::connection::Connection;
use crate::options::{self, Options};

mod consumer;
mod core;
mod durable;
mod error;
mod inbox;
mod incoming;
mod jetstream;
mod join;
mod letters;
mod moves;
mod operator;
mod publish;
mod queue;
mod receipt;
mod stream;
mod wire;

/// The URL schemes of brokers on NATS: `nats://HOST[:PORT]/STREAM` or `nats://HOST[:PORT]` (or `tls://`, which requires
/// TLS).
///
/// With a stream, delivery is at least once:
///
/// - A publish succeeds once the stream has acknowledged it. A topic is a subject.
/// - The first subscription creates a missing stream, or the broker does at start if the URL has
///   `?subjects=orders.>,billing.*`. Later subscriptions add their topics to a stream that Tempo created; other streams
///   stay as they are.
/// - A subscription is a durable pull consumer. Acknowledgements are confirmed by the server.
/// - Dead letters are in the stream `{STREAM}-DEAD`, on `dead.{STREAM}.{TOPIC}`.
///
/// Without one, delivery is at most once, to one replica of a consumer. Messages that fail are logged and lost.
#[derive(Debug)]
pub struct NatsMessaging {
    _only_a_name: (),
}

#[async_trait]
impl BackendScheme<dyn Broker> for NatsMessaging {
    const NAMES: &'static [&'static str] = &["nats", "tls"];

    fn flags() -> Vec<Flag> {
        options::flags()
    }

    fn check(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<()> {
        Options::read(settings, &Address::parse_broker(url).map(|(address, _)| address)?).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Broker>> {
        let (address, subjects) = Address::parse_broker(url)?;
        let connection = Connection::open(&address, context).await?;
        if address.name.is_empty() {
            return Ok(Arc::new(core::CoreBroker::open(connection).await?));
        }
        Ok(Arc::new(jetstream::JetStreamBroker::open(connection, &address, subjects).await?))
    }
}

impl NatsMessaging {
    /// Returns a broker on core NATS, over a connection of the caller's.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn core(client: async_nats::Client) -> tempo_settings::Result<Arc<dyn Broker>> {
        Ok(Arc::new(core::CoreBroker::open(Connection::of_client(client)).await?))
    }

    /// Returns a broker on the stream `stream` of JetStream, over a connection of the caller's. If there is no such stream,
    /// it is created with `subjects`, if there are any.
    ///
    /// # Errors
    ///
    /// The name is malformed or empty; or the server has no JetStream, forbids the stream, or does not answer.
    pub async fn stream(
        client: async_nats::Client,
        stream: &str,
        subjects: impl IntoIterator<Item = String>,
    ) -> tempo_settings::Result<Arc<dyn Broker>> {
        let address = Address::of_client(&client, stream)?;
        let subjects = subjects.into_iter().collect();
        let broker = jetstream::JetStreamBroker::open(Connection::of_client(client), &address, subjects).await?;
        Ok(Arc::new(broker))
    }
}
