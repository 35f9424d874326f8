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

pub(super) struct Source {
    bucket: Arc<Bucket>,
    consumer: Consumer<pull::Config>,
    /// What was asked for. The client has a stream that asks by itself, but it loses count of what is still to come when an
    /// answer overtakes its own word that it has asked, and then waits for nothing.
    asked: Option<Asked>,
    /// How many chunks to ask for at once.
    batch: usize,
    delivered: u64,
}

/// An answer of the server, and how much of it is still to come.
struct Asked {
    messages: pull::Batch,
    left: usize,
}

impl Source {
    /// A consumer of the chunks after a place in the stream, of which there must be `rest`. They are asked for in batches;
    /// without `data`, only for their sizes. `None` if the connection was lost meanwhile.
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
            inactive_threshold: ABANDONED,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = match bucket.connection.ask(bucket.stream.create_consumer(config)).await {
            Ok(created) => created.map_err(Failure::from)?,
            Err(Lost::Meanwhile) => return Ok(None),
            Err(lost) => return Err(Failure::from(lost).into()),
        };
        let source = Self { bucket: Arc::clone(bucket), consumer, asked: None, batch, delivered: 0 };
        let pending = source.consumer.cached_info().num_pending;
        if pending == rest { Ok(Some(source)) } else { Err(failure::changed()) }
    }

    /// The next chunk; `None` if the consumer cannot give it.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>> {
        let connection = self.bucket.connection.clone();
        match connection.ask(timeout(REQUEST, self.receive())).await {
            Ok(piece) => Ok(piece.ok().flatten()),
            Err(Lost::Meanwhile) => Ok(None),
            Err(lost) => Err(Failure::from(lost).into()),
        }
    }

    async fn receive(&mut self) -> Option<Piece> {
        let mut asked = match self.asked.take() {
            Some(asked) => asked,
            None => self.ask().await?,
        };
        let message = asked.messages.next().await?.ok()?;
        asked.left = asked.left.saturating_sub(1);
        let (piece, position, pending) = piece(&message)?;
        self.asked = match asked.left {
            // Asked for now, they come while this chunk is worked on. Not earlier: the server would deal out chunks to both
            // answers in turn.
            0 if pending > 0 => Some(self.ask().await?),
            0 => None,
            _ => Some(asked),
        };
        let expected = self.delivered.saturating_add(1);
        self.delivered = position;
        (position == expected).then_some(piece)
    }

    async fn ask(&self) -> Option<Asked> {
        let messages = self.consumer.fetch().max_messages(self.batch).messages().await.ok()?;
        Some(Asked { messages, left: self.batch })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.bucket.cleaner.forget(&self.consumer.cached_info().name);
    }
}

/// A chunk, which of its consumer's it is, and how many follow.
fn piece(message: &Message) -> Option<(Piece, u64, u64)> {
    let info = message.info().ok()?;
    let said = message.headers.as_ref().and_then(|headers| headers.get(SIZE));
    let size = match said {
        Some(size) => size.as_str().parse().ok()?,
        None => message.payload.len() as u64,
    };
    let piece = Piece { sequence: info.stream_sequence, size, data: message.payload.clone() };
    Some((piece, info.consumer_sequence, info.pending))
}
