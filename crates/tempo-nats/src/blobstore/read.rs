//! Reads the chunks of an object on demand, in stream order.

use std::sync::Arc;

use async_nats::jetstream::object_store::ObjectInfo as Meta;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tempo_blobstore::{ByteRange, Data, Result};

use super::bucket::{Bucket, MAX_READ_ATTEMPTS};
use super::digest::Digest;
use super::error;
use super::source::{Chunk, ChunkConsumer};
use super::upload::CHUNK_BYTES;
use crate::error::NatsError;

/// Requested bytes at a time, or one chunk if that is larger.
pub(super) const READ_AHEAD_BYTES: usize = 1 << 20;

/// Chunk sizes requested at a time, to find the start of a range.
const SIZE_BATCH: usize = 1_000;

/// Returns the data of the object with this metadata, or of a range of it.
pub(super) fn read(bucket: Arc<Bucket>, nuid: &str, meta: &Meta, range: Option<ByteRange>) -> Data {
    let (start, end) = ByteRange::within(range, meta.size as u64);
    let whole = start == 0 && end == meta.size as u64;
    let digest = meta.digest.as_ref().filter(|_| whole).and_then(|text| text.strip_prefix("SHA-256="));
    let chunk = meta.options.as_ref().and_then(|options| options.max_chunk_size).unwrap_or(CHUNK_BYTES).max(1);
    let reader = ObjectReader {
        subject: bucket.chunks(nuid),
        bucket,
        size: meta.size as u64,
        chunks: meta.chunks as u64,
        chunk,
        start,
        end,
        digest: digest.map(|digest| (Digest::new(), digest.to_owned())),
        place: ReadPosition::default(),
        source: None,
    };
    stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|bytes| (bytes, reader))) })
        .boxed()
}

/// The position of a reader.
#[derive(Default)]
struct ReadPosition {
    /// Bytes of the object before the position.
    bytes: u64,
    /// Chunks before the position.
    chunks: u64,
    /// Stream sequence of the last chunk before the position.
    sequence: u64,
}

struct ObjectReader {
    bucket: Arc<Bucket>,
    subject: String,
    /// Size of the object in bytes, and number of its chunks.
    size: u64,
    chunks: u64,
    /// Chunk size, from the metadata.
    chunk: usize,
    /// The requested range of bytes.
    start: u64,
    end: u64,
    /// The digest so far and the expected one. `None` for a range, which is read without the rest.
    digest: Option<(Digest, String)>,
    place: ReadPosition,
    source: Option<ChunkConsumer>,
}

impl ObjectReader {
    /// Returns the next requested bytes.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.place.bytes < self.end && self.start < self.end {
            let piece = self.fetch().await?;
            let before = self.place.bytes;
            self.pass(&piece)?;
            if let Some((hash, _)) = &mut self.digest {
                hash.update(piece.data.clone()).await?;
            }
            // Verify before returning the last bytes: a consumer that counts bytes does not poll again.
            if self.place.bytes == self.size {
                self.verify().await?;
            }
            let within = |position: u64| {
                usize::try_from(position.saturating_sub(before)).unwrap_or(usize::MAX).min(piece.data.len())
            };
            let wanted = within(self.start)..within(self.end);
            if !wanted.is_empty() {
                return Ok(Some(piece.data.slice(wanted)));
            }
        }
        Ok(None)
    }

    fn pass(&mut self, piece: &Chunk) -> Result<()> {
        self.place.bytes = self.place.bytes.saturating_add(piece.size);
        self.place.chunks = self.place.chunks.saturating_add(1);
        self.place.sequence = piece.sequence;
        let beyond = self.place.bytes > self.size || self.place.chunks > self.chunks;
        if beyond { Err(error::changed()) } else { Ok(()) }
    }

    async fn verify(&mut self) -> Result<()> {
        let Some((hash, expected)) = self.digest.take() else { return Ok(()) };
        let digest = hash.finish().await?;
        let expected = URL_SAFE.decode(&expected).or_else(|_| URL_SAFE_NO_PAD.decode(&expected));
        if expected.is_ok_and(|expected| expected == digest.as_ref()) { Ok(()) } else { Err(error::changed()) }
    }

    /// Returns the next chunk.
    async fn fetch(&mut self) -> Result<Chunk> {
        // After a reconnect, or if the server has dropped the consumer, continue with a new one from the position.
        for _ in 0..MAX_READ_ATTEMPTS {
            if self.source.is_none() && !self.open().await? {
                continue;
            }
            let Some(source) = &mut self.source else { continue };
            match source.next().await? {
                Some(piece) => return Ok(piece),
                None => self.source = None,
            }
        }
        Err(NatsError::Timeout.into())
    }

    /// Opens a consumer of the remaining chunks. Returns false if the caller should retry.
    async fn open(&mut self) -> Result<bool> {
        if self.start.saturating_sub(self.place.bytes) >= READ_AHEAD_BYTES as u64 && !self.skip().await? {
            return Ok(false);
        }
        let batch = (READ_AHEAD_BYTES / self.chunk).clamp(1, 8);
        self.source = self.consume(batch, true).await?;
        Ok(self.source.is_some())
    }

    /// Skips the chunks before the range without their data. Returns false if the caller should retry.
    async fn skip(&mut self) -> Result<bool> {
        let Some(mut sizes) = self.consume(SIZE_BATCH, false).await? else { return Ok(false) };
        while let Some(piece) = sizes.next().await? {
            if self.place.bytes.saturating_add(piece.size) > self.start {
                return Ok(true);
            }
            self.pass(&piece)?;
        }
        Ok(false)
    }

    /// Creates a consumer of the chunks after the position, with or without their data.
    async fn consume(&self, batch: usize, data: bool) -> Result<Option<ChunkConsumer>> {
        let rest = self.chunks.saturating_sub(self.place.chunks);
        ChunkConsumer::open(&self.bucket, &self.subject, self.place.sequence, rest, batch, data).await
    }
}
