//! Writes an object: its chunks, then the metadata message that makes it visible.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::{Bytes, BytesMut};
use tempo_blobstore::{Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};

use super::bucket::Bucket;
use super::cleaner::Ack;
use super::digest::Digest;
use super::{error, meta};
use crate::error::NatsError;

/// The chunk size of all NATS clients, in bytes. The server's `max_payload` may be smaller.
pub(super) const CHUNK_BYTES: usize = 128 << 10;

/// Maximum chunks that await their acks.
const MAX_CHUNKS_IN_FLIGHT: usize = 8;

/// An upload in progress. Dropping it before completion removes its chunks.
pub(super) struct NatsUpload {
    bucket: Arc<Bucket>,
    name: String,
    options: PutOptions,
    /// The NUID of the chunks, while this upload owns them.
    nuid: Option<String>,
    sent: VecDeque<Ack>,
    /// The chunk size in bytes.
    chunk: usize,
    buffer: BytesMut,
    hash: Digest,
    size: usize,
    chunks: usize,
    /// True while every written byte is in the bucket or in the buffer.
    sound: bool,
}

impl NatsUpload {
    pub(super) fn new(bucket: Arc<Bucket>, name: String, options: PutOptions) -> Self {
        let most = bucket.connection.max_payload();
        Self {
            bucket,
            name,
            options,
            nuid: Some(nuid::next().to_string()),
            sent: VecDeque::new(),
            chunk: if most == 0 { CHUNK_BYTES } else { most.min(CHUNK_BYTES) },
            buffer: BytesMut::new(),
            hash: Digest::new(),
            size: 0,
            chunks: 0,
            sound: true,
        }
    }

    async fn take(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            if self.buffer.is_empty() && data.len() >= self.chunk {
                let chunk = data.split_to(self.chunk);
                self.send(chunk).await?;
                continue;
            }
            let room = self.chunk.saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&data.split_to(room.min(data.len())));
            self.flush(self.chunk).await?;
        }
        Ok(())
    }

    /// Sends the buffer if it has at least `least` bytes.
    async fn flush(&mut self, least: usize) -> Result<()> {
        if self.buffer.len() >= least {
            let chunk = self.buffer.split().freeze();
            self.send(chunk).await?;
        }
        Ok(())
    }

    async fn send(&mut self, chunk: Bytes) -> Result<()> {
        let nuid = self.nuid.as_ref().ok_or_else(error::incomplete)?;
        let subject = self.bucket.chunks(nuid);
        self.hash.update(chunk.clone()).await?;
        self.size = self.size.saturating_add(chunk.len());
        self.chunks = self.chunks.saturating_add(1);
        let connection = &self.bucket.connection;
        connection.ready().await.map_err(NatsError::from)?;
        let sent = connection.jetstream().publish(subject, chunk).await.map_err(NatsError::from)?;
        self.sent.push_back(sent.into_future());
        self.settle(MAX_CHUNKS_IN_FLIGHT).await
    }

    /// Waits until at most `rest` chunks await their acks.
    async fn settle(&mut self, rest: usize) -> Result<()> {
        while self.sent.len() > rest {
            let Some(oldest) = self.sent.front_mut() else { break };
            let answer = self.bucket.connection.request(oldest).await;
            self.sent.pop_front();
            answer.map_err(NatsError::from)?.map_err(NatsError::from)?;
        }
        Ok(())
    }

    /// Publishes the metadata message, and removes the chunks of the replaced object.
    async fn publish(&mut self) -> Result<ObjectInfo> {
        // From here on the chunks may belong to a visible object: do not remove them on drop.
        let nuid = self.nuid.take().ok_or_else(error::incomplete)?;
        let digest = std::mem::replace(&mut self.hash, Digest::new()).finish().await?;
        let written = meta::Written {
            bucket: self.bucket.name.clone(),
            nuid: nuid.clone(),
            size: self.size,
            chunks: self.chunks,
            chunk_size: self.chunk,
            digest: format!("SHA-256={}", URL_SAFE.encode(digest)),
        };
        let if_absent = self.options.if_absent;
        let (description, info) = meta::describe(&self.name, std::mem::take(&mut self.options), written)?;
        let judge = |last: Option<&meta::Last>| match last {
            Some(last) if if_absent && !last.is_free() => Err(Error::already_exists()),
            _ => Ok(Some(description.clone())),
        };
        match self.bucket.replace(&self.name, judge).await {
            Ok(replaced) => {
                if let Some(nuid) = replaced.and_then(|last| last.nuid()) {
                    self.bucket.cleaner.remove(nuid).await;
                }
                Ok(info)
            }
            Err(error) => {
                // After a lost ack the object may be visible.
                if !matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Other) {
                    self.nuid = Some(nuid);
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Upload for NatsUpload {
    async fn write(&mut self, data: Bytes) -> Result<()> {
        // A failed or cancelled write leaves it false.
        if !std::mem::take(&mut self.sound) {
            return Err(error::incomplete());
        }
        self.take(data).await?;
        self.sound = true;
        Ok(())
    }

    async fn complete(mut self: Box<Self>) -> Result<ObjectInfo> {
        if !self.sound {
            return Err(error::incomplete());
        }
        self.flush(1).await?;
        self.settle(0).await?;
        self.publish().await
    }
}

impl Drop for NatsUpload {
    fn drop(&mut self) {
        if let Some(nuid) = self.nuid.take().filter(|_| self.chunks > 0) {
            self.bucket.cleaner.give_up(nuid, std::mem::take(&mut self.sent).into());
        }
    }
}
