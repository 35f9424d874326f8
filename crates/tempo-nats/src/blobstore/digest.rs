//! Computes the SHA-256 of an object on a blocking thread, in parallel with the transfer, which takes about as long.

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use tempo_blobstore::Result;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::NatsError;

/// Maximum bytes that wait for the thread. They are sent in one batch, to avoid a thread switch per chunk.
const MAX_BUFFERED_BYTES: usize = 512 << 10;

/// An incremental SHA-256.
pub(super) struct Digest {
    state: State,
    waiting: Vec<Bytes>,
    /// The number of buffered bytes.
    size: usize,
}

enum State {
    Here(Box<Context>),
    Away(JoinHandle<Box<Context>>),
    /// A call was dropped while it waited for the thread.
    Poisoned,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self { state: State::Here(Box::new(Context::new(&SHA256))), waiting: Vec::new(), size: 0 }
    }

    /// Adds `data`. Waits for earlier data only if the buffer is full.
    pub(super) async fn update(&mut self, data: Bytes) -> Result<()> {
        self.size = self.size.saturating_add(data.len());
        self.waiting.push(data);
        if self.size >= MAX_BUFFERED_BYTES || !self.is_busy() {
            let mut context = self.take().await?;
            let waiting = std::mem::take(&mut self.waiting);
            self.size = 0;
            self.state = State::Away(spawn_blocking(move || {
                waiting.iter().for_each(|data| context.update(data));
                context
            }));
        }
        Ok(())
    }

    /// Returns the digest of all added data.
    pub(super) async fn finish(mut self) -> Result<ring::digest::Digest> {
        let mut context = self.take().await?;
        self.waiting.iter().for_each(|data| context.update(data));
        Ok(context.finish())
    }

    fn is_busy(&self) -> bool {
        matches!(&self.state, State::Away(computed) if !computed.is_finished())
    }

    async fn take(&mut self) -> Result<Box<Context>> {
        match std::mem::replace(&mut self.state, State::Poisoned) {
            State::Here(context) => Ok(context),
            State::Away(computed) => Ok(computed.await.map_err(|error| NatsError::other(&error))?),
            State::Poisoned => Err(NatsError::Other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_of_any_size_come_to_the_digest_of_the_whole() {
        let whole: Vec<u8> = (0..3_000_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        let expected = ring::digest::digest(&SHA256, &whole);
        for size in [1_000, 128 << 10, MAX_BUFFERED_BYTES - 1, MAX_BUFFERED_BYTES, 3_000_000] {
            let mut digest = Digest::new();
            for piece in whole.chunks(size) {
                digest.update(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            assert_eq!(digest.finish().await.unwrap().as_ref(), expected.as_ref(), "{size}");
        }
    }
}
