//! Consumes what a guest writes: its stream as a bounded channel, and the future that marks it complete.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc;
use tempo_blobstore::CHUNK;
use tokio::sync::oneshot;
use wasmtime::component::{FutureConsumer, FutureReader, Source, StreamConsumer, StreamReader, StreamResult};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::check::Checked;
use crate::{Error, ErrorKind, ObjectInfo, Result};

/// Both ends of what a guest sends.
pub(super) struct Incoming {
    chunks: mpsc::Receiver<Bytes>,
    complete: oneshot::Receiver<bool>,
}

impl Incoming {
    /// Takes over a guest's stream and future.
    pub(super) fn start<S: AsContextMut>(
        mut store: S,
        data: StreamReader<u8>,
        complete: FutureReader<std::result::Result<(), ()>>,
    ) -> wasmtime::Result<Self> {
        // One chunk on its way, and one more for the one sender.
        let (sender, chunks) = mpsc::channel(1);
        data.pipe(&mut store, Chunks(sender))?;
        let (sender, completion) = oneshot::channel();
        complete.pipe(&mut store, CompletionConsumer(Some(sender)))?;
        Ok(Self { chunks, complete: completion })
    }

    /// Uploads the stream, and completes the upload if the guest marks it complete. Otherwise the upload is dropped.
    pub(super) async fn upload(mut self, mut upload: Checked) -> Result<ObjectInfo> {
        let mut whole = false;
        loop {
            let chunk = tokio::select! {
                biased;
                completion = &mut self.complete, if !whole => {
                    whole = agreed(completion.ok())?;
                    continue;
                }
                chunk = self.chunks.next() => chunk,
            };
            match chunk {
                Some(chunk) => upload.write(chunk).await?,
                None => break,
            }
        }
        if !whole {
            agreed(self.complete.await.ok())?;
        }
        upload.complete().await
    }
}

fn agreed(completion: Option<bool>) -> Result<bool> {
    // A dropped future does not mark the stream complete.
    match completion {
        Some(true) => Ok(true),
        Some(false) | None => Err(Error::new(ErrorKind::Other, "the upload was not completed by its producer")),
    }
}

struct Chunks(mpsc::Sender<Bytes>);

impl<D> StreamConsumer<D> for Chunks {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.0.poll_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        let mut source = source.as_direct(store);
        let written = source.remaining();
        let chunk = Bytes::copy_from_slice(written.get(..CHUNK).unwrap_or(written));
        let length = chunk.len();
        // A write of zero bytes only waits for readiness.
        if length > 0 && self.0.start_send(chunk).is_err() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        source.mark_read(length);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

struct CompletionConsumer(Option<oneshot::Sender<bool>>);

impl<D: 'static> FutureConsumer<D> for CompletionConsumer {
    type Item = std::result::Result<(), ()>;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, Self::Item>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut completion = None;
        source.read(store, &mut completion)?;
        if let (Some(completion), Some(sender)) = (completion, self.0.take()) {
            // The upload may have failed already.
            let _ = sender.send(completion.is_ok());
        }
        Poll::Ready(Ok(()))
    }
}
