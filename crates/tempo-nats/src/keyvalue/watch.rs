//! Watching: a consumer that begins where the last one ended, as often as one is lost.

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

/// How many changes the server may send ahead, and of how many bytes, unless a single one has more.
const MAX_AHEAD: usize = 32;
const MAX_AHEAD_BYTES: usize = 1 << 20;

/// How long the server keeps a consumer that nobody asks.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Every change from now on.
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

/// Where a watcher is.
struct Watcher {
    connection: Connection,
    bucket: Bucket,
    /// The sequence in the stream from which on changes were not yet reported.
    next: u64,
    source: Option<ChangeConsumer>,
}

/// A consumer of the changes from some sequence on.
struct ChangeConsumer {
    pull: Pull,
    losses: signal::Receiver<u64>,
    /// How many messages it has delivered.
    delivered: u64,
}

impl Watcher {
    /// The next change, however often the connection is lost before it comes.
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
                        // One that ends as soon as it was opened would end the next time too.
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

    /// Opens a consumer where the last one ended. Without an error it is only that there is no connection.
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
        // Taken first: what is lost from here on is noticed.
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

    /// What a message says, if it is new and about a key of ours.
    fn take(&mut self, message: &jetstream::Message) -> Option<Change> {
        let Ok(info) = message.info() else { return None };
        let (sequence, position) = (info.stream_sequence, info.consumer_sequence);
        let source = self.source.as_mut()?;
        source.delivered = source.delivered.saturating_add(1);
        if position != source.delivered {
            // One was lost on the way; the next consumer brings it again.
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
    /// The next message, or `None` if another consumer is needed.
    async fn next(&mut self) -> Option<NatsMessage> {
        loop {
            // What was on its way when the connection was lost does not come again by itself.
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
