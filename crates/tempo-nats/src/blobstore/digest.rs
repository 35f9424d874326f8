//! The SHA-256 of an object. It takes as long as sending the object does, so it is computed beside that, on a thread that
//! may block.

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use tempo_wasi_blobstore::Result;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::failure::Failure;

/// Less than this is not worth the way to another thread.
const WORTH: usize = 32 << 10;

/// What the bytes so far have come to.
pub(super) struct Digest(State);

enum State {
    Here(Box<Context>),
    Away(JoinHandle<Box<Context>>),
    /// A call was dropped while it waited.
    Lost,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self(State::Here(Box::new(Context::new(&SHA256))))
    }

    /// Adds `data`. Waits for what was added before, not for this.
    pub(super) async fn update(&mut self, data: Bytes) -> Result<()> {
        let mut context = self.take().await?;
        self.0 = if data.len() < WORTH {
            context.update(&data);
            State::Here(context)
        } else {
            State::Away(spawn_blocking(move || {
                context.update(&data);
                context
            }))
        };
        Ok(())
    }

    /// The digest of all that was added.
    pub(super) async fn finish(mut self) -> Result<ring::digest::Digest> {
        Ok(self.take().await?.finish())
    }

    async fn take(&mut self) -> Result<Box<Context>> {
        match std::mem::replace(&mut self.0, State::Lost) {
            State::Here(context) => Ok(context),
            State::Away(computed) => Ok(computed.await.map_err(|error| Failure::other(&error))?),
            State::Lost => Err(Failure::Other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_of_any_size_come_to_the_digest_of_the_whole() {
        let whole: Vec<u8> = (0..300_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        let expected = ring::digest::digest(&SHA256, &whole);
        for size in [1_000, WORTH - 1, WORTH, 128 << 10, 300_000] {
            let mut digest = Digest::new();
            for piece in whole.chunks(size) {
                digest.update(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            assert_eq!(digest.finish().await.unwrap().as_ref(), expected.as_ref(), "{size}");
        }
    }
}
