//! `Body`: the body of a request or a response.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::error::BoxError;
use crate::incoming::{HostMessage, Incoming};
use crate::pieces::{Boxed, Chunks, Wrapped};
use crate::{Error, ErrorKind};

/// The body of a request or a response.
///
/// A `Body` is an [`http_body::Body`] and a [`Stream`] of [`Bytes`]. It reads from the other side on demand, so a body
/// of any size passes in constant memory. A body that is forwarded unread (from a request to a response, for example)
/// stays in the host.
#[derive(Default)]
pub struct Body {
    pub(crate) kind: Kind,
    trailers: Option<HeaderMap>,
}

#[derive(Default)]
pub(crate) enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    Stream(Boxed),
}

impl Body {
    /// Creates an empty body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a body from another `http_body::Body`.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        // A value that is already a `Body` needs no box.
        if let Some(body) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return body.take().unwrap_or_default();
        }
        body.map_or_else(Self::empty, |body| Kind::Stream(Box::pin(Wrapped(Box::pin(body)))).into())
    }

    /// Creates a body from a stream of chunks. An error aborts the body, so that the reader does not mistake it for
    /// complete.
    pub fn from_stream<S, C, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<C, E>> + Send + 'static,
        C: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        Self::new(Chunks(Box::pin(stream)))
    }

    pub(crate) fn incoming(message: HostMessage, length: Option<u64>) -> Self {
        Kind::Stream(Box::pin(Incoming::new(message, length))).into()
    }

    /// Returns whether nothing but trailers can follow.
    fn is_received(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Stream(body) => body.is_received(),
        }
    }

    /// Returns the next chunk for a caller that does not read the trailers: waiting for the end of a body whose announced
    /// length was read would take two more calls of the host.
    async fn data(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_received() { Ok(None) } else { self.chunk().await }
    }

    /// Returns the next chunk, or `None` at the end, after which [`trailers`](Self::trailers) are available.
    ///
    /// # Errors
    /// Returns an error if the body is aborted.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.try_next().await
    }

    /// Returns the trailers. `None` before the end of the body, and if it has no trailers.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// Reads the whole body into memory. Only the host's limits bound the size: see [`bytes_up_to`](Self::bytes_up_to).
    ///
    /// # Errors
    /// Returns an error if the body is aborted.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        self.bytes_up_to(usize::MAX).await
    }

    /// Reads the whole body into memory, up to `limit` bytes.
    ///
    /// # Errors
    /// Returns [`ErrorKind::TooLarge`] if the body is longer than `limit`, and an error if it is aborted.
    pub async fn bytes_up_to(mut self, limit: usize) -> Result<Bytes, Error> {
        let mut all = self.data().await?.unwrap_or_default();
        check(all.len(), limit)?;
        let Some(second) = self.data().await? else { return Ok(all) };
        let mut joined = BytesMut::from(std::mem::take(&mut all));
        let mut next = Some(second);
        while let Some(chunk) = next {
            check(joined.len().saturating_add(chunk.len()), limit)?;
            joined.extend_from_slice(&chunk);
            next = self.data().await?;
        }
        Ok(joined.freeze())
    }

    /// Reads the whole body as UTF-8 text.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Decode`] if the body is not UTF-8, and an error if it is aborted.
    pub async fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes().await?.into())
            .map_err(|error| Error::new(ErrorKind::Decode, "the body is not UTF-8").with_source(error))
    }

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Decode`] if the body is not the JSON of a `T`, and an error if it is aborted.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        crate::json::decode(&self.bytes().await?, ErrorKind::Decode)
    }
}

fn check(length: usize, limit: usize) -> Result<(), Error> {
    if length > limit {
        return Err(Error::new(ErrorKind::TooLarge, format!("the body is longer than {limit} bytes")));
    }
    Ok(())
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::task::ready!(http_body::Body::poll_frame(self.as_mut(), cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Self { kind, trailers: None }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Kind::Full(bytes).into() }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            Kind::Stream(_) => "stream",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}
