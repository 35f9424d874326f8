//! Produces what a guest reads: a stream of chunks, and a future of its result.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, FutureReader, StreamProducer, StreamReader, StreamResult, VecBuffer};

use crate::bindings::tempo::tempo::blobstore::store as wit;
use crate::{Error, ErrorKind, Result};

/// The result of a stream, which the guest receives.
pub(super) type ReadOutcome = std::result::Result<(), wit::Error>;

/// Produces `chunks` as fast as the guest reads.
pub(super) struct Producer<C> {
    chunks: BoxStream<'static, Result<C>>,
    /// A chunk that was polled for a read of zero bytes.
    next: Option<C>,
    ending: Option<oneshot::Sender<ReadOutcome>>,
}

impl<C: Send + 'static> Producer<C> {
    /// Creates a stream of `chunks` and the future of its result.
    pub(super) fn start<T, S>(mut store: S, chunks: BoxStream<'static, Result<C>>) -> wasmtime::Result<Started<T>>
    where
        S: wasmtime::AsContextMut,
        Self: StreamProducer<S::Data, Item = T>,
        T: wasmtime::component::Lower + wasmtime::component::Lift + Send + Sync + 'static,
    {
        let (sender, ending) = oneshot::channel();
        let producer = Self { chunks, next: None, ending: Some(sender) };
        let stream = StreamReader::new(&mut store, producer)?;
        let ending = FutureReader::new(&mut store, async move {
            // The guest has dropped the stream before its end.
            wasmtime::error::Ok(ending.await.unwrap_or_else(|_| Err(closed_early().into())))
        })?;
        Ok((stream, ending))
    }

    /// Polls for a non-empty chunk. `None` is the end, whose result has been sent.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<C>>
    where
        C: Chunk,
    {
        loop {
            let ending = match futures::ready!(self.chunks.poll_next_unpin(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => return Poll::Ready(Some(chunk)),
                Some(Err(error)) => Err(error.into()),
                None => Ok(()),
            };
            if let Some(sender) = self.ending.take() {
                // The guest may have dropped the future.
                let _ = sender.send(ending);
            }
            return Poll::Ready(None);
        }
    }

    fn poll<D>(
        &mut self,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut destination: Destination<'_, C::Item, C::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>>
    where
        C: Chunk,
    {
        if self.next.is_none() {
            match self.poll_next(cx) {
                Poll::Ready(Some(chunk)) => self.next = Some(chunk),
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
        // A read of zero bytes only waits for readiness: keep the chunk.
        if destination.remaining(store) != Some(0)
            && let Some(chunk) = self.next.take()
        {
            destination.set_buffer(chunk.into_buffer());
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// A stream and the future of its result.
pub(super) type Started<T> = (StreamReader<T>, FutureReader<ReadOutcome>);

fn closed_early() -> Error {
    Error::new(ErrorKind::Other, "the stream was closed before its end")
}

/// A batch of items of a stream.
pub(super) trait Chunk {
    type Item;
    type Buffer;

    fn is_empty(&self) -> bool;
    fn into_buffer(self) -> Self::Buffer;
}

impl Chunk for Bytes {
    type Item = u8;
    type Buffer = Bytes;

    fn is_empty(&self) -> bool {
        Bytes::is_empty(self)
    }

    fn into_buffer(self) -> Bytes {
        self
    }
}

impl Chunk for Vec<wit::Entry> {
    type Item = wit::Entry;
    type Buffer = VecBuffer<wit::Entry>;

    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }

    fn into_buffer(self) -> VecBuffer<wit::Entry> {
        self.into()
    }
}

impl<D> StreamProducer<D> for Producer<Bytes> {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        self.poll(cx, store, destination, finish)
    }
}

impl<D> StreamProducer<D> for Producer<Vec<wit::Entry>> {
    type Item = wit::Entry;
    type Buffer = VecBuffer<wit::Entry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        destination: Destination<'a, wit::Entry, VecBuffer<wit::Entry>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        self.poll(cx, store, destination, finish)
    }
}
