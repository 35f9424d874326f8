//! The body that hyper sends: all of it at once, or as the guest writes it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::activity::InFlight;
use super::exchange::{BrokenOff, Exchange};
use super::telemetry::Told;

/// A response's body.
pub(crate) struct Body<T: Send + 'static> {
    content: Content<T>,
    /// Counts the request as running until its body has gone.
    pub(crate) in_flight: Option<InFlight>,
    /// Tells of the request when its body has gone.
    pub(crate) told: Option<Told>,
}

enum Content<T: Send + 'static> {
    Full(Option<Bytes>),
    /// A body of that length which is announced, as a 304 may do, and not sent.
    Omitted(u64),
    Stream(Arc<Stream<T>>),
}

/// An exchange whose response is being streamed. The worker watches it: a client that stops reading must not hold an
/// instance for ever.
pub(crate) struct Stream<T: Send + 'static> {
    state: Mutex<(Option<Exchange<T>>, Instant)>,
}

impl<T: Send + 'static> Stream<T> {
    /// Ends the guest if nothing has moved for `patience`.
    pub(crate) fn end_if_stalled(&self, patience: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stalled = (state.1.elapsed() > patience).then(|| state.0.take());
        drop(state);
        // The instance is torn down outside the lock.
        drop(stalled);
    }
}

impl<T: Send + 'static> Body<T> {
    /// A body that is known whole.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self { content: Content::Full(Some(bytes)), in_flight: None, told: None }
    }

    /// No body, in a response whose head announces one of `length` bytes.
    pub(crate) fn omitted(length: u64) -> Self {
        Self { content: Content::Omitted(length), in_flight: None, told: None }
    }

    /// A body that the guest goes on writing.
    pub(crate) fn stream(exchange: Exchange<T>) -> (Self, Arc<Stream<T>>) {
        let stream = Arc::new(Stream { state: Mutex::new((Some(exchange), Instant::now())) });
        (Self { content: Content::Stream(stream.clone()), in_flight: None, told: None }, stream)
    }
}

impl<T: Send + 'static> Drop for Stream<T> {
    /// The guest ends with the body, unless the client has all of it.
    fn drop(&mut self) {
        let exchange = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).0.take();
        if let Some(exchange) = exchange.filter(Exchange::is_delivered) {
            exchange.finish();
        }
    }
}

impl<T: Send + 'static> http_body::Body for Body<T> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let poll = match &mut this.content {
            Content::Full(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Content::Omitted(_) => Poll::Ready(None),
            Content::Stream(stream) => {
                let mut state = stream.state.lock().unwrap_or_else(PoisonError::into_inner);
                let poll = match &mut state.0 {
                    Some(exchange) => exchange.poll_frame(cx),
                    None => Poll::Ready(Some(Err(BrokenOff))),
                };
                if poll.is_ready() {
                    state.1 = Instant::now();
                }
                poll
            }
        };
        if let (Poll::Ready(Some(Err(_))), Some(told)) = (&poll, &mut this.told) {
            told.broke_off();
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Content::Omitted(_) | Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Content::Omitted(length) => SizeHint::with_exact(*length),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
