//! A consumer of the chunks of one object. What it gives follows without a gap on what it gave before, or it is given up.

use std::collections::VecDeque;
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
    /// What was asked for, oldest first. The server is asked anew before the last answer is used up, so that it does not
    /// idle meanwhile. The client has a stream that does the like, but it loses count of what is still to come when an
    /// answer overtakes its own word that it has asked, and then waits for nothing.
    asked: VecDeque<Asked>,
    /// How many chunks to ask for at once.
    batch: usize,
    delivered: u64,
}

/// An answer of the server, and whether anything has come of it.
struct Asked {
    messages: pull::Batch,
    any: bool,
}

/// How many answers to wait for at once.
const ASKED: usize = 2;

impl Source {
    /// A consumer of the chunks after a place in the stream, of which there must be `rest`. `ahead` of them are asked for
    /// before they are needed; without `data`, only for their sizes. `None` if the connection was lost meanwhile.
    pub(super) async fn open(
        bucket: &Arc<Bucket>,
        subject: &str,
        after: u64,
        rest: u64,
        ahead: usize,
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
        let batch = ahead.div_ceil(ASKED);
        let source = Self { bucket: Arc::clone(bucket), consumer, asked: VecDeque::new(), batch, delivered: 0 };
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
        loop {
            while self.asked.len() < ASKED {
                let messages = self.consumer.fetch().max_messages(self.batch).messages().await.ok()?;
                self.asked.push_back(Asked { messages, any: false });
            }
            let answer = self.asked.front_mut()?;
            match answer.messages.next().await {
                Some(message) => {
                    answer.any = true;
                    let (piece, position) = piece(&message.ok()?)?;
                    let expected = self.delivered.saturating_add(1);
                    self.delivered = position;
                    return (position == expected).then_some(piece);
                }
                None if answer.any => drop(self.asked.pop_front()),
                None => return None,
            }
        }
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
