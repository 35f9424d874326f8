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

/// The reader of a body is gone: nobody will see what is written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// The reading end, inside a [`Body`].
pub(crate) struct Receiver(mpsc::Receiver<Item>);

/// Both ends. The channel holds one chunk beside the one that the host is taking, so a slow reader slows the writer.
pub(crate) fn channel() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(0);
    (Sender(sender), Receiver(receiver))
}

impl Body {
    /// A body that is written piece by piece, usually by a task that [`spawn`](crate::spawn) runs.
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
    ///                 return; // the client is gone
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
    /// Writes one chunk; waits while the reader is behind.
    ///
    /// # Errors
    /// When the reader is gone.
    pub async fn send(&mut self, chunk: impl Into<Bytes>) -> Result<(), Closed> {
        self.push(Ok(Frame::data(chunk.into()))).await
    }

    /// Ends the body with trailers.
    ///
    /// # Errors
    /// When the reader is gone.
    pub async fn trailers(mut self, trailers: HeaderMap) -> Result<(), Closed> {
        self.push(Ok(Frame::trailers(trailers))).await
    }

    /// Ends the body as failed, so that the reader does not take what came for all there is.
    pub async fn abort(mut self, error: Error) {
        // A reader that is gone needs no telling.
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
