//! The response body that hyper sends: whole, or streamed as the guest writes it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::activity::InFlight;
use super::body_fault::BrokenOff;
use super::exchange::Exchange;
use super::flow::{Flow, Piece};
use super::telemetry::RequestSpan;

/// A response's body, with what ends when hyper drops it.
pub(crate) struct Body {
    content: Content,
    /// Counts the data that waits for the client.
    flow: Arc<Flow>,
    /// Ends the span of the request.
    span: Option<RequestSpan>,
    /// Counts the request as running.
    _in_flight: InFlight,
}

/// The content of a response's body.
pub(crate) enum Content {
    /// A complete body.
    Full(Option<Piece>),
    /// No body, but an announced length, as in a 304.
    Omitted(u64),
    /// A body that the guest is still writing.
    Stream(Arc<Stream>),
    /// The guest has written the body; its trailers, if any, are still to be sent.
    Ended(Option<Frame<Piece>>),
}

impl Content {
    /// A complete body.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::Full(Some(Piece::new(bytes)))
    }

    /// A body that the guest is still writing.
    pub(crate) fn stream(exchange: Exchange) -> (Self, Arc<Stream>) {
        let state = StreamState { exchange: Some(exchange), guest_pending: false, last_frame: Instant::now() };
        let stream = Arc::new(Stream { state: Mutex::new(state) });
        (Self::Stream(stream.clone()), stream)
    }

    /// Returns the streamed body.
    ///
    /// # Errors
    ///
    /// The body is complete, with these bytes.
    pub(crate) fn into_stream(self) -> Result<Arc<Stream>, Bytes> {
        match self {
            Self::Stream(stream) => Ok(stream),
            Self::Full(piece) => Err(piece.map(Piece::into_bytes).unwrap_or_default()),
            Self::Omitted(_) | Self::Ended(_) => Err(Bytes::new()),
        }
    }
}

/// An exchange whose response is streamed. The worker tracks it: a client that stops reading must not hold an instance
/// forever.
pub(crate) struct Stream {
    state: Mutex<StreamState>,
}

struct StreamState {
    /// `None` once the exchange was ended.
    exchange: Option<Exchange>,
    /// Whether hyper waits for the guest. If false, hyper has a frame and does not ask for the next.
    guest_pending: bool,
    last_frame: Instant,
}

impl Stream {
    /// Drives the guest and polls the next frame.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let poll = match &mut state.exchange {
            Some(exchange) => exchange.poll_frame(cx),
            None => Poll::Ready(Some(Err(BrokenOff))),
        };
        state.guest_pending = poll.is_pending();
        if poll.is_ready() {
            state.last_frame = Instant::now();
        }
        poll
    }

    /// Ends the guest if hyper has not asked for a frame for `client_timeout`, because the client does not read, or if the
    /// guest has not written one for `guest_timeout`.
    pub(crate) fn end_if_stalled(&self, client_timeout: Duration, guest_timeout: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = if state.guest_pending { guest_timeout } else { client_timeout };
        let stalled = (state.last_frame.elapsed() > timeout).then(|| state.exchange.take());
        drop(state);
        // The instance is torn down outside the lock.
        drop(stalled);
    }
}

impl Body {
    /// Creates the body of a response, and counts `content` in `flow` from now on.
    pub(crate) fn new(mut content: Content, flow: Arc<Flow>, span: Option<RequestSpan>, in_flight: InFlight) -> Self {
        if let Content::Full(Some(piece)) = &mut content {
            piece.count(&flow);
        }
        Self { content, flow, span, _in_flight: in_flight }
    }

    /// Polls the next frame of a streamed body.
    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let Content::Stream(stream) = &self.content else { return Poll::Ready(None) };
        if self.flow.must_wait(cx) {
            return Poll::Pending;
        }
        let frame = std::task::ready!(stream.poll_next(cx));
        let frame = frame.map(|frame| frame.map(|frame| frame.map_data(Piece::new)));
        let last = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut piece) => {
                    piece.count(&self.flow);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Err(trailers) => Some(trailers),
            },
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => None,
        };
        self.content = Content::Ended(last);
        self.poll_end(cx)
    }

    /// Polls the end of a streamed body. An HTTP/2 stream gets it when all data before it is written: until then the
    /// stream can be reset.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        if self.flow.is_stream() && self.flow.is_unwritten(cx.waker()) {
            return Poll::Pending;
        }
        let Content::Ended(last) = &mut self.content else { return Poll::Ready(None) };
        Poll::Ready(last.take().map(Ok))
    }
}

impl Drop for Stream {
    /// The guest ends with the body, unless the client has all of it.
    fn drop(&mut self) {
        let exchange = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).exchange.take();
        if let Some(exchange) = exchange.filter(Exchange::is_delivered) {
            exchange.finish();
        }
    }
}

impl http_body::Body for Body {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let this = self.get_mut();
        let poll = match &mut this.content {
            Content::Full(whole) => {
                let piece = Piece::take_front(whole).filter(|piece| piece.len() > 0);
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Content::Omitted(_) => Poll::Ready(None),
            Content::Stream(_) => this.poll_stream(cx),
            Content::Ended(_) => this.poll_end(cx),
        };
        if let (Poll::Ready(Some(Err(_))), Some(span)) = (&poll, &mut this.span) {
            span.broke_off();
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Full(piece) => piece.as_ref().is_none_or(|piece| piece.len() == 0),
            Content::Omitted(_) | Content::Stream(_) | Content::Ended(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(piece) => SizeHint::with_exact(piece.as_ref().map_or(0, |piece| piece.len() as u64)),
            Content::Omitted(length) => SizeHint::with_exact(*length),
            Content::Stream(_) | Content::Ended(_) => SizeHint::default(),
        }
    }
}
