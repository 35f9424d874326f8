//! The SHA-256 of an object. It takes as long as sending the object does, so it is computed beside that, on a thread that
//! may block.

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use tempo_blobstore::Result;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::NatsError;

/// How many bytes may wait for the thread. What waits is handed over at once, so that the way there is not gone for each
/// chunk.
const MAX_BUFFERED_BYTES: usize = 512 << 10;

/// What the bytes so far have come to.
pub(super) struct Digest {
    state: State,
    waiting: Vec<Bytes>,
    /// The bytes that wait.
    size: usize,
}

enum State {
    Here(Box<Context>),
    Away(JoinHandle<Box<Context>>),
    /// A call was dropped while it waited.
    Lost,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self { state: State::Here(Box::new(Context::new(&SHA256))), waiting: Vec::new(), size: 0 }
    }

    /// Adds `data`. Waits for what was added before only where that is too much.
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

    /// The digest of all that was added.
    pub(super) async fn finish(mut self) -> Result<ring::digest::Digest> {
        let mut context = self.take().await?;
        self.waiting.iter().for_each(|data| context.update(data));
        Ok(context.finish())
    }

    fn is_busy(&self) -> bool {
        matches!(&self.state, State::Away(computed) if !computed.is_finished())
    }

    async fn take(&mut self) -> Result<Box<Context>> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Here(context) => Ok(context),
            State::Away(computed) => Ok(computed.await.map_err(|error| NatsError::other(&error))?),
            State::Lost => Err(NatsError::Other.into()),
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
