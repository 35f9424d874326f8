//! The body of a message that a guest writes as a stream: collected, and never larger than a message may be.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tempo_backend::Reservation;
use tokio::sync::oneshot;
use wasmtime::component::{Source, StreamConsumer, StreamReader, StreamResult};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::{Error, ErrorKind, MessagingLimits, Result, check};

/// A body that is on its way.
pub(crate) struct Body(oneshot::Receiver<Result<Collected>>);

/// A body that is there, with the bytes that are reserved for it.
type Collected = (Bytes, Reservation);

impl Body {
    /// Begins to read `stream`, whose bytes are added to what is `reserved`.
    pub(crate) fn start(
        store: impl AsContextMut,
        stream: StreamReader<u8>,
        limits: MessagingLimits,
        reserved: Reservation,
    ) -> wasmtime::Result<Self> {
        let (sender, body) = oneshot::channel();
        let pending = Pending { body: BytesMut::new(), reserved };
        stream.pipe(store, Collector { limits, pending: Some(pending), sender: Some(sender) })?;
        Ok(Self(body))
    }

    /// Waits for the end of the stream.
    pub(crate) async fn collect(self) -> Result<Bytes> {
        let given_up = |_| Err(Error::new(ErrorKind::Other, "the body was given up"));
        // From here on the message is counted as a whole.
        self.0.await.unwrap_or_else(given_up).map(|(body, _reserved)| body)
    }
}

struct Pending {
    body: BytesMut,
    reserved: Reservation,
}

/// What reads the stream. It is dropped at the stream's end, and tells then.
struct Collector {
    limits: MessagingLimits,
    pending: Option<Pending>,
    sender: Option<oneshot::Sender<Result<Collected>>>,
}

impl Collector {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(Pending { body, reserved }) = &mut self.pending else { return Ok(()) };
        check::payload(&self.limits, body.len().saturating_add(bytes.len()))?;
        reserved.try_grow(bytes.len())?;
        body.extend_from_slice(bytes);
        Ok(())
    }

    fn tell(&mut self, result: Result<Collected>) {
        if let Some(sender) = self.sender.take() {
            // The call may have ended already.
            let _ = sender.send(result);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(Pending { body, reserved }) = self.pending.take() {
            self.tell(Ok((body.freeze(), reserved)));
        }
    }
}

impl<D> StreamConsumer<D> for Collector {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        let length = bytes.len();
        if let Err(error) = self.take(bytes) {
            self.pending = None;
            self.tell(Err(error));
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        source.mark_read(length);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
