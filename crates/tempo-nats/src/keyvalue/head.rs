//! Reads the last message of a key without its value.
//!
//! Every request of JetStream for a message returns its payload. Only a consumer with `headers_only` leaves it out. Its
//! delivery subject is an inbox that is subscribed before, so the message arrives with the reply: one round trip.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use bytes::Bytes;
use futures::StreamExt as _;
use tempo_keyvalue::Version;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::marker;
use crate::connection::Connection;
use crate::error::NatsError;

/// Timeout of a message that is pending: it may be removed before it is delivered.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(1);

/// Inactivity after which the server deletes the consumer of an abandoned read.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The last message of a key, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Value(Version),
    Marker,
}

/// Returns the head of the last message of `key`. `None` if the server delivers none: there is none, or it was removed
/// meanwhile.
pub(super) async fn last(connection: &Connection, bucket: &Bucket, key: &str) -> Result<Option<Head>, NatsError> {
    let client = connection.client();
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await.map_err(|error| NatsError::other(&error))?;
    let config = push::Config {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        filter_subject: bucket.subject(key),
        headers_only: true,
        inactive_threshold: INACTIVE_TIMEOUT,
        memory_storage: true,
        num_replicas: 1,
        ..push::Config::default()
    };
    let consumer = bucket.stream().create_consumer(config).await.map_err(NatsError::from)?;
    let info = consumer.cached_info();
    let is_empty = info.num_pending == 0 && info.delivered.consumer_sequence == 0;
    let message = if is_empty { None } else { timeout(DELIVERY_TIMEOUT, messages.next()).await.ok().flatten() };
    // No reply: the server would delete it later.
    let delete = format!("$JS.API.CONSUMER.DELETE.{}.{}", info.stream_name, info.name);
    client.publish(delete, Bytes::new()).await.ok();
    let Some(message) = message else { return Ok(None) };
    if message.headers.as_ref().is_some_and(marker::is_marker) {
        return Ok(Some(Head::Marker));
    }
    let message = jetstream::Message { message, context: connection.jetstream().clone() };
    let sequence = message.info().map_err(|error| NatsError::other(&*error))?.stream_sequence;
    Ok(Some(Head::Value(sequence)))
}
