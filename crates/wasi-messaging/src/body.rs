//! Collects the body of a message from a guest's stream, within the limits of a message.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tempo_backend::Reservation;
use tokio::sync::oneshot;
use wasmtime::component::{Source, StreamConsumer, StreamReader, StreamResult};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::{Error, ErrorKind, MessagingLimits, Result, check};

/// A body that is being collected.
pub(crate) struct Body(oneshot::Receiver<Result<Collected>>);

/// A collected body with its reservation.
type Collected = (Bytes, Reservation);

impl Body {
    /// Starts to read `stream`, adding its bytes to `reserved`.
    pub(crate) fn start(
        store: impl AsContextMut,
        stream: StreamReader<u8>,
        limits: MessagingLimits,
        reserved: Reservation,
    ) -> wasmtime::Result<Self> {
        let (sender, body) = oneshot::channel();
        let pending = BodyInProgress { body: BytesMut::new(), reserved };
        stream.pipe(store, Collector { limits, pending: Some(pending), sender: Some(sender) })?;
        Ok(Self(body))
    }

    /// Waits for the end of the stream.
    pub(crate) async fn collect(self) -> Result<Bytes> {
        let given_up = |_| Err(Error::new(ErrorKind::Other, "the body was abandoned"));
        // From here on the message has one reservation.
        self.0.await.unwrap_or_else(given_up).map(|(body, _reserved)| body)
    }
}

struct BodyInProgress {
    body: BytesMut,
    reserved: Reservation,
}

/// Consumes the stream. Sends the result when dropped at the stream's end.
struct Collector {
    limits: MessagingLimits,
    pending: Option<BodyInProgress>,
    sender: Option<oneshot::Sender<Result<Collected>>>,
}

impl Collector {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(BodyInProgress { body, reserved }) = &mut self.pending else { return Ok(()) };
        check::payload(&self.limits, body.len().saturating_add(bytes.len()))?;
        reserved.try_grow(bytes.len())?;
        body.extend_from_slice(bytes);
        Ok(())
    }

    fn send(&mut self, result: Result<Collected>) {
        if let Some(sender) = self.sender.take() {
            // The call may have ended.
            let _ = sender.send(result);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(BodyInProgress { body, reserved }) = self.pending.take() {
            self.send(Ok((body.freeze(), reserved)));
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
            self.send(Err(error));
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        source.mark_read(length);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
