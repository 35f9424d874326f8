//! Watches a bucket with a consumer. If the consumer is lost, a new one starts after the last reported change.

use std::time::Duration;

use async_nats::Message as NatsMessage;
use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tempo_keyvalue::{Change, Error, ErrorKind, Result};
use tokio::sync::watch as signal;
use tokio::time::sleep;

use super::bucket::Bucket;
use super::marker;
use crate::connection::Connection;
use crate::error::NatsError;
use crate::key;
use crate::pull::{Event, Pull};

/// Maximum number and bytes of changes that the server sends ahead. A single larger change is still sent.
const MAX_AHEAD: usize = 32;
const MAX_AHEAD_BYTES: usize = 1 << 20;

/// Inactivity after which the server deletes the consumer.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Pause before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The changes of a bucket, from the call on.
pub(super) async fn watch(connection: Connection, bucket: Bucket) -> Result<BoxStream<'static, Result<Change>>> {
    let asked = connection.request(bucket.stream().get_info()).await.map_err(NatsError::from)?;
    let info = asked.map_err(NatsError::from)?;
    let mut watcher = Watcher { connection, bucket, next: info.state.last_sequence.saturating_add(1), source: None };
    watcher.open().await.map_err(|error| error.unwrap_or_else(|| NatsError::Unavailable.into()))?;
    Ok(stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.change().await {
            Ok(change) => Some((Ok(change), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

/// The position of a watcher.
struct Watcher {
    connection: Connection,
    bucket: Bucket,
    /// The first sequence of the stream that was not reported yet.
    next: u64,
    source: Option<ChangeConsumer>,
}

/// A consumer of the changes after a sequence.
struct ChangeConsumer {
    pull: Pull,
    losses: signal::Receiver<u64>,
    /// Number of delivered messages.
    delivered: u64,
}

impl Watcher {
    /// Waits for the next change, over any number of reconnects.
    async fn change(&mut self) -> Result<Change> {
        loop {
            if let Some(source) = &mut self.source {
                match source.next().await {
                    Some(message) => {
                        let context = self.connection.jetstream().clone();
                        let message = jetstream::Message { message, context };
                        if let Some(change) = self.take(&message) {
                            return Ok(change);
                        }
                    }
                    None => {
                        // A consumer that ends at once would end at once again.
                        let barren = source.delivered == 0;
                        self.source = None;
                        if barren {
                            sleep(RETRY_PAUSE).await;
                        }
                    }
                }
            } else if let Err(error) = self.open().await {
                match error {
                    Some(error) if error.kind() == ErrorKind::NoSuchStore => return Err(error),
                    _ => sleep(RETRY_PAUSE).await,
                }
            }
        }
    }

    /// Opens a consumer after the last reported change. `None` in place of an error if the connection is lost.
    async fn open(&mut self) -> std::result::Result<(), Option<Error>> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: AckPolicy::None,
            filter_subject: self.bucket.subject(">"),
            inactive_threshold: INACTIVE_TIMEOUT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        // Read first, so that a later loss of the connection is detected.
        let losses = self.connection.losses();
        let opening = async {
            let consumer = self.bucket.stream().create_consumer(config).await;
            let consumer = consumer.map_err(NatsError::from)?;
            let info = consumer.cached_info();
            let pull = Pull::open(&self.connection, &info.stream_name, &info.name, Some(MAX_AHEAD_BYTES)).await;
            pull.map_err(|error| Error::from(NatsError::other(&error)))
        };
        let pull = self.connection.request(opening).await.map_err(|_| None)?.map_err(Some)?;
        self.source = Some(ChangeConsumer { pull, losses, delivered: 0 });
        Ok(())
    }

    /// Decodes a message. `None` if it was reported already, or its key is not a valid encoding.
    fn take(&mut self, message: &jetstream::Message) -> Option<Change> {
        let Ok(info) = message.info() else { return None };
        let (sequence, position) = (info.stream_sequence, info.consumer_sequence);
        let source = self.source.as_mut()?;
        source.delivered = source.delivered.saturating_add(1);
        if position != source.delivered {
            // A message was lost. A new consumer delivers it again.
            self.source = None;
            return None;
        }
        if sequence < self.next {
            return None;
        }
        self.next = sequence.saturating_add(1);
        let key = self.bucket.key(&message.subject).and_then(key::decode)?;
        let deleted = message.headers.as_ref().is_some_and(marker::is_marker);
        Some(if deleted { Change::Delete { key } } else { Change::Set { key, value: message.payload.clone() } })
    }
}

impl ChangeConsumer {
    /// Waits for the next message. `None` if a new consumer is needed.
    async fn next(&mut self) -> Option<NatsMessage> {
        loop {
            // Messages in flight when the connection was lost are not delivered again by this consumer.
            if self.losses.has_changed().unwrap_or(true) {
                return None;
            }
            if !self.pull.is_open() {
                self.pull.request(MAX_AHEAD).await;
            }
            match self.pull.next(false).await {
                Event::Message(message) => return Some(*message),
                Event::End => {}
                Event::Backoff => {
                    sleep(RETRY_PAUSE).await;
                    return None;
                }
                Event::Silent | Event::ConsumerMissing | Event::Closed => return None,
            }
        }
    }
}
