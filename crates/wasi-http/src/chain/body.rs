//! The body of an answer on its way from the component that is called to its caller.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tempo_backend::Reservation;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;

use crate::host_fed;

/// The frames of a body, and its end. A channel that closes without an end has lost its sender.
pub(super) enum Chunk {
    /// A frame.
    Frame(Frame<Bytes>),
    /// The body is complete.
    Complete,
    /// The component has failed.
    BrokenOff,
}

/// The body of an answer.
pub(crate) struct ChainedBody {
    content: Content,
    timeout: Duration,
    /// Runs only while the caller waits.
    timer: Option<Pin<Box<Sleep>>>,
    /// Held until the end of the body.
    reserved: Option<Reservation>,
}

enum Content {
    Full(Option<Bytes>),
    Stream(mpsc::Receiver<Chunk>),
    Ended,
}

impl ChainedBody {
    /// Creates a complete body.
    pub(super) fn full(bytes: Bytes) -> Self {
        Self::new(Content::Full(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// Creates the body of `chunks`.
    pub(super) fn stream(chunks: mpsc::Receiver<Chunk>) -> Self {
        Self::new(Content::Stream(chunks))
    }

    fn new(content: Content) -> Self {
        Self { content, timeout: Duration::MAX, timer: None, reserved: None }
    }

    /// Sets the longest pause while the caller waits, and keeps `reserved` until the end of the body.
    pub(super) fn limit(&mut self, timeout: Duration, reserved: Option<Reservation>) {
        self.timeout = timeout;
        self.reserved = reserved.filter(|_| !self.is_end_stream());
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(match &mut self.content {
            Content::Full(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Content::Ended => None,
            Content::Stream(chunks) => match ready!(chunks.poll_recv(cx)) {
                Some(Chunk::Frame(frame)) => Some(Ok(frame)),
                Some(Chunk::Complete) => None,
                Some(Chunk::BrokenOff) | None => Some(Err(Error::HttpResponseIncomplete)),
            },
        })
    }

    fn end(&mut self) {
        self.content = Content::Ended;
        self.timer = None;
        self.reserved = None;
    }
}

impl Body for ChainedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        host_fed::count_poll();
        let this = &mut *self;
        let frame = match this.poll_content(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let timeout = this.timeout;
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(timer.as_mut().poll(cx));
                Some(Err(Error::ConnectionReadTimeout))
            }
        };
        this.timer = None;
        if !matches!(frame, Some(Ok(_))) {
            this.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Full(None) | Content::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Content::Ended => SizeHint::with_exact(0),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_is_complete_only_with_its_end() {
        for (last, complete) in [(Some(Chunk::Complete), true), (Some(Chunk::BrokenOff), false), (None, false)] {
            let (sender, chunks) = mpsc::channel(2);
            sender.send(Chunk::Frame(Frame::data(Bytes::from_static(b"a")))).await.ok();
            if let Some(last) = last {
                sender.send(last).await.ok();
            }
            drop(sender);
            let collected = ChainedBody::stream(chunks).collect().await;
            assert_eq!(collected.is_ok(), complete);
        }
        assert_eq!(ChainedBody::full(Bytes::from_static(b"ab")).collect().await.unwrap().to_bytes(), "ab");
        assert!(ChainedBody::full(Bytes::new()).is_end_stream());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_waits_for_a_limited_time() {
        let (_sender, chunks) = mpsc::channel(1);
        let mut body = ChainedBody::stream(chunks);
        body.limit(Duration::from_secs(1), None);
        assert!(matches!(body.frame().await, Some(Err(Error::ConnectionReadTimeout))));
        assert!(body.frame().await.is_none());
    }
}
