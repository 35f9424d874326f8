//! A consumer of the chunks of one object. What it gives follows without a gap on what it gave before, or it is given up.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use bytes::Bytes;
use futures::StreamExt as _;
use tempo_wasi_blobstore::Result;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::failure;
use crate::connection::{Lost, REQUEST};
use crate::failure::Failure;

/// How long the server keeps a consumer that nobody asks. A reader that is slower has another one made.
const ABANDONED: Duration = Duration::from_secs(30);

/// The header in which the server says how large a message is that it sends without its payload.
const SIZE: &str = "Nats-Msg-Size";

/// A chunk.
pub(super) struct Piece {
    /// Its place in the stream.
    pub(super) sequence: u64,
    /// Its size in bytes, also where its data was not asked for.
    pub(super) size: u64,
    pub(super) data: Bytes,
}

/// Chunks, and whether the consumer can give those that follow.
pub(super) struct Fetched {
    pub(super) pieces: Vec<Piece>,
    pub(super) sound: bool,
}

pub(super) struct Source {
    bucket: Arc<Bucket>,
    consumer: Consumer<pull::Config>,
    delivered: u64,
}

impl Source {
    /// A consumer of the chunks after a place in the stream, of which there must be `rest`. `None` if the connection was
    /// lost meanwhile.
    pub(super) async fn open(
        bucket: &Arc<Bucket>,
        subject: &str,
        after: u64,
        rest: u64,
        sizes: bool,
    ) -> Result<Option<Self>> {
        let start_sequence = after.saturating_add(1);
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ack_policy: AckPolicy::None,
            filter_subject: subject.to_owned(),
            headers_only: sizes,
            inactive_threshold: ABANDONED,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let created = match bucket.connection.ask(bucket.stream.create_consumer(config)).await {
            Ok(created) => created.map_err(Failure::from)?,
            Err(Lost::Meanwhile) => return Ok(None),
            Err(lost) => return Err(Failure::from(lost).into()),
        };
        let source = Self { bucket: Arc::clone(bucket), consumer: created, delivered: 0 };
        let pending = source.consumer.cached_info().num_pending;
        if pending == rest { Ok(Some(source)) } else { Err(failure::changed()) }
    }

    /// The next chunks, `count` at most.
    pub(super) async fn fetch(&mut self, count: usize) -> Result<Fetched> {
        let Self { bucket, consumer, delivered } = self;
        let mut pieces = Vec::new();
        let fetching = async {
            let mut messages = consumer.fetch().max_messages(count).messages().await.ok()?;
            while let Some(message) = timeout(REQUEST, messages.next()).await.ok()? {
                let (piece, position) = piece(&message.ok()?)?;
                if position != delivered.saturating_add(1) {
                    return None;
                }
                *delivered = position;
                pieces.push(piece);
            }
            Some(())
        };
        let sound = match bucket.connection.ask(fetching).await {
            Ok(fetched) => fetched.is_some(),
            Err(Lost::Meanwhile) => false,
            Err(lost) => return Err(Failure::from(lost).into()),
        };
        Ok(Fetched { sound: sound && !pieces.is_empty(), pieces })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.bucket.cleaner.forget(&self.consumer.cached_info().name);
    }
}

/// A chunk, and which of its consumer's it is.
fn piece(message: &Message) -> Option<(Piece, u64)> {
    let info = message.info().ok()?;
    let said = message.headers.as_ref().and_then(|headers| headers.get(SIZE));
    let size = match said {
        Some(size) => size.as_str().parse().ok()?,
        None => message.payload.len() as u64,
    };
    let piece = Piece { sequence: info.stream_sequence, size, data: message.payload.clone() };
    Some((piece, info.consumer_sequence))
}
