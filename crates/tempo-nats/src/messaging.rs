//! Brokers on NATS: a stream of JetStream, which keeps messages, or NATS itself, which does not.

use std::sync::Arc;

use tempo_backend::{BackendContext, BackendScheme};
use tempo_messaging::Broker;
use tempo_settings::{BackendUrl, Flag};

use crate::address::Address;
use crate::connection::Connection;
use crate::options;

mod consumer;
mod core;
mod durable;
mod failure;
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

/// Brokers on NATS, named by `nats://HOST[:PORT]/STREAM` or `nats://HOST[:PORT]` (or `tls://`, to insist on encryption).
///
/// With a stream, messages are delivered at least once:
///
/// - What was published was acknowledged by the stream. A topic is a subject.
/// - A stream that does not exist is created by the first subscription, or at the start if the URL says
///   `?subjects=orders.>,billing.*`. One that Tempo created is extended by the topics of later subscriptions; one of
///   somebody else is used as it is.
/// - A subscription is a durable pull consumer. An acknowledgement is itself acknowledged.
/// - Dead letters are in the stream `{STREAM}-DEAD`, on `dead.{STREAM}.{TOPIC}`.
///
/// Without one they are delivered at most once, to one of a consumer's replicas, and nobody keeps them: what cannot be
/// handled is logged and lost.
pub struct NatsMessaging {
    _only_a_name: (),
}

impl BackendScheme<dyn Broker> for NatsMessaging {
    const NAMES: &'static [&'static str] = &["nats", "tls"];

    fn flags() -> Vec<Flag> {
        options::flags()
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> anyhow::Result<Arc<dyn Broker>> {
        let (address, subjects) = Address::parse_broker(url)?;
        let connection = Connection::open(&address, context).await?;
        if address.name.is_empty() {
            return Ok(Arc::new(core::CoreBroker::open(connection).await?));
        }
        Ok(Arc::new(jetstream::JetStreamBroker::open(connection, &address, subjects).await?))
    }
}
