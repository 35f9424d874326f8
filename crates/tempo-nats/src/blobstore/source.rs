//! A consumer of the chunks of an object. It fails if a chunk is missing or out of order.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use bytes::Bytes;
use futures::StreamExt as _;
use tempo_blobstore::Result;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::error;
use crate::connection::{ConnectionLost, REQUEST_TIMEOUT};
use crate::error::NatsError;

/// Inactivity after which the server deletes the consumer. A slower reader creates another one.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// The header with the size of a message sent without its payload.
const SIZE_HEADER: &str = "Nats-Msg-Size";

/// A chunk of an object.
pub(super) struct Chunk {
    /// Its stream sequence.
    pub(super) sequence: u64,
    /// Its size in bytes, also without data.
    pub(super) size: u64,
    pub(super) data: Bytes,
}

/// Requests chunks in batches, the next one when half a batch is left, so that the server need not wait. The client's
/// own stream loses count of the pending messages when a reply overtakes its record of the request, and then never
/// wakes.
pub(super) struct ChunkConsumer {
    bucket: Arc<Bucket>,
    consumer: Consumer<pull::Config>,
    /// Receives the replies to all requests.
    answers: Subscriber,
    /// The reply subject.
    inbox: String,
    batch: usize,
    /// Number of requested chunks that have not arrived.
    asked: usize,
    delivered: u64,
}

impl ChunkConsumer {
    /// Creates a consumer of the chunks after `after`, and checks that `rest` of them exist. Requests `batch` chunks at a
    /// time; without `data`, only their headers. Returns `None` if the connection was lost.
    pub(super) async fn open(
        bucket: &Arc<Bucket>,
        subject: &str,
        after: u64,
        rest: u64,
        batch: usize,
        data: bool,
    ) -> Result<Option<Self>> {
        let start_sequence = after.saturating_add(1);
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ack_policy: AckPolicy::None,
            filter_subject: subject.to_owned(),
            headers_only: !data,
            inactive_threshold: INACTIVE_TIMEOUT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let client = bucket.connection.client();
        let inbox = client.new_inbox();
        let opening = async {
            let consumer = bucket.stream.create_consumer(config).await.map_err(NatsError::from)?;
            let answers = client.subscribe(inbox.clone()).await.map_err(|error| NatsError::other(&error))?;
            Ok::<_, NatsError>((consumer, answers))
        };
        let (consumer, answers) = match bucket.connection.request(opening).await {
            Ok(opened) => opened?,
            Err(ConnectionLost::AwaitingReply) => return Ok(None),
            Err(lost) => return Err(NatsError::from(lost).into()),
        };
        let bucket = Arc::clone(bucket);
        let source = Self { bucket, consumer, answers, inbox, batch, asked: 0, delivered: 0 };
        let pending = source.consumer.cached_info().num_pending;
        if pending == rest { Ok(Some(source)) } else { Err(error::changed()) }
    }

    /// Returns the next chunk, or `None` if the consumer cannot deliver it.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>> {
        let connection = self.bucket.connection.clone();
        match connection.request(timeout(REQUEST_TIMEOUT, self.receive())).await {
            Ok(piece) => Ok(piece.ok().flatten()),
            Err(ConnectionLost::AwaitingReply) => Ok(None),
            Err(lost) => Err(NatsError::from(lost).into()),
        }
    }

    async fn receive(&mut self) -> Option<Chunk> {
        if self.asked <= self.batch / 2 {
            self.request().await?;
        }
        let message = self.answers.next().await?;
        // A status ends the request: the consumer is missing, or no message is left.
        message.status.is_none().then_some(())?;
        self.asked = self.asked.saturating_sub(1);
        let (piece, position) = piece(Message { message, context: self.bucket.connection.jetstream().clone() })?;
        let expected = self.delivered.saturating_add(1);
        self.delivered = position;
        (position == expected).then_some(piece)
    }

    async fn request(&mut self) -> Option<()> {
        let info = self.consumer.cached_info();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", info.stream_name, info.name);
        let request = format!(r#"{{"batch":{},"expires":{}}}"#, self.batch, REQUEST_TIMEOUT.as_nanos());
        let client = self.bucket.connection.client();
        client.publish_with_reply(subject, self.inbox.clone(), request.into()).await.ok()?;
        self.asked = self.asked.saturating_add(self.batch);
        Some(())
    }
}

impl Drop for ChunkConsumer {
    fn drop(&mut self) {
        self.bucket.cleaner.forget(&self.consumer.cached_info().name);
    }
}

/// Parses a chunk and its consumer sequence.
fn piece(message: Message) -> Option<(Chunk, u64)> {
    let info = message.info().ok()?;
    let (sequence, position) = (info.stream_sequence, info.consumer_sequence);
    let said = message.headers.as_ref().and_then(|headers| headers.get(SIZE_HEADER));
    let size = match said {
        Some(size) => size.as_str().parse().ok()?,
        None => message.payload.len() as u64,
    };
    Some((Chunk { sequence, size, data: message.message.payload }, position))
}
