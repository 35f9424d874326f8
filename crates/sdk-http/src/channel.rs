//! Bodies that a task writes while the other side reads.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::{error, fmt};

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use http::HeaderMap;
use http_body::Frame;

use crate::{Body, Error};

type Item = Result<Frame<Bytes>, Error>;

/// The writing end of [`Body::channel`]. Dropping it ends the body.
#[derive(Debug)]
pub struct Sender(mpsc::Sender<Item>);

/// The error of a write whose reader was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// The reading end, inside a [`Body`].
pub(crate) struct Receiver(mpsc::Receiver<Item>);

/// Creates both ends. The channel holds one chunk in addition to the one that the host is reading, so a slow reader
/// slows the writer.
pub(crate) fn channel() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(0);
    (Sender(sender), Receiver(receiver))
}

impl Body {
    /// Creates a body and its writing end, usually for a task that [`spawn`](crate::spawn) runs.
    ///
    /// ```no_run
    /// # mod guest {
    /// use tempo_sdk_http::{Body, Response, spawn};
    ///
    /// #[tempo_sdk_http::handler]
    /// async fn main(_: tempo_sdk_http::Request) -> Response {
    ///     let (mut sender, body) = Body::channel();
    ///     spawn(async move {
    ///         for line in ["one\n", "two\n"] {
    ///             if sender.send(line).await.is_err() {
    ///                 break; // the client disconnected
    ///             }
    ///         }
    ///     });
    ///     Response::new(body)
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    pub fn channel() -> (Sender, Self) {
        let (sender, receiver) = channel();
        (sender, Self::new(receiver))
    }
}

impl Sender {
    /// Writes one chunk, and waits while the channel is full.
    ///
    /// # Errors
    /// Returns [`Closed`] if the reader was dropped.
    pub async fn send(&mut self, chunk: impl Into<Bytes>) -> Result<(), Closed> {
        self.push(Ok(Frame::data(chunk.into()))).await
    }

    /// Ends the body with trailers.
    ///
    /// # Errors
    /// Returns [`Closed`] if the reader was dropped.
    pub async fn trailers(mut self, trailers: HeaderMap) -> Result<(), Closed> {
        self.push(Ok(Frame::trailers(trailers))).await
    }

    /// Aborts the body, so that the reader does not mistake it for complete.
    pub async fn abort(mut self, error: Error) {
        // A dropped reader needs no error.
        let _ = self.push(Err(error)).await;
    }

    async fn push(&mut self, item: Item) -> Result<(), Closed> {
        self.0.feed(item).await.map_err(|_| Closed)
    }
}

impl http_body::Body for Receiver {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        futures::Stream::poll_next(Pin::new(&mut self.0), cx)
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader of the body is gone")
    }
}

impl error::Error for Closed {}
