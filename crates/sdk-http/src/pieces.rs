//! Streaming bodies, and how they are sent.
//!
//! `send` is a method of the trait object, so that a component without streaming bodies contains none of this code.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::{Body as _, Frame, SizeHint};
use wasip3::http::types::{ErrorCode, Trailers};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter};

use crate::body::{Body, Kind};
use crate::error::BoxError;
use crate::incoming::{BodyStream, TrailersFuture};
use crate::{Error, fields};

type Polled = Poll<Option<Result<Frame<Bytes>, Error>>>;
pub(crate) type Boxed = Pin<Box<dyn StreamingBody>>;

/// A streaming body.
pub(crate) trait StreamingBody: http_body::Body<Data = Bytes, Error = Error> + Send {
    /// Returns itself, or a simpler body that is available without waiting.
    fn simplify(self: Pin<Box<Self>>, cx: &mut Context<'_>) -> Body;

    /// Starts sending. Returns the ends that the host reads.
    fn send(self: Pin<Box<Self>>) -> (BodyStream, TrailersFuture);

    /// Returns whether all bytes of the announced length were read. Trailers may follow.
    fn is_received(&self) -> bool {
        false
    }
}

/// A body of another type, with its errors converted to `Error`.
pub(crate) struct Wrapped<B>(pub(crate) Pin<Box<B>>);

impl<B> http_body::Body for Wrapped<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        self.0.as_mut().poll_frame(cx).map_err(Error::from_boxed)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl<B> StreamingBody for Wrapped<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Polls a body of known length once for its first frame. Most such bodies are complete by then (a boxed JSON value
    /// of axum, for example), and then take the path of a single chunk.
    fn simplify(mut self: Pin<Box<Self>>, cx: &mut Context<'_>) -> Body {
        let Some(length) = self.size_hint().exact() else { return Kind::Stream(self).into() };
        match self.as_mut().poll_frame(cx) {
            Poll::Pending => Kind::Stream(self).into(),
            Poll::Ready(None) => Body::empty(),
            Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|data| data.len() as u64 == length) => {
                Body::from(frame.into_data().unwrap_or_default())
            }
            Poll::Ready(first) => Kind::Stream(Box::pin(Peeked { first, rest: self })).into(),
        }
    }

    fn send(self: Pin<Box<Self>>) -> (BodyStream, TrailersFuture) {
        send(self)
    }
}

/// A body whose first frame was already read.
struct Peeked {
    first: Option<Result<Frame<Bytes>, Error>>,
    rest: Boxed,
}

impl http_body::Body for Peeked {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.as_mut().poll_frame(cx),
        }
    }
}

impl StreamingBody for Peeked {
    fn simplify(self: Pin<Box<Self>>, _: &mut Context<'_>) -> Body {
        Kind::Stream(self).into()
    }

    fn send(self: Pin<Box<Self>>) -> (BodyStream, TrailersFuture) {
        send(self)
    }
}

/// Adapts a stream of chunks to a body.
pub(crate) struct Chunks<S>(pub(crate) Pin<Box<S>>);

impl<S, C, E> http_body::Body for Chunks<S>
where
    S: Stream<Item = Result<C, E>>,
    C: Into<Bytes>,
{
    type Data = Bytes;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.as_mut().poll_next(cx).map_ok(|chunk| Frame::data(chunk.into()))
    }
}

/// Starts a task that writes `body`. Returns the ends that the host reads.
pub(crate) fn send(body: Boxed) -> (BodyStream, TrailersFuture) {
    let (writer, contents) = wit_stream::new();
    let (finish, end) = wit_future::new(broken_off);
    drop(wit_bindgen::spawn_local(tempo_sdk_trace::task(write_frames(body, writer, finish))));
    (contents, end)
}

/// The result that the host receives if the writing task is dropped.
fn broken_off() -> Result<Option<Trailers>, ErrorCode> {
    Err(ErrorCode::InternalError(Some("the body was not finished".to_owned())))
}

/// Writes a body frame by frame, at the reader's pace.
async fn write_frames(
    mut body: Boxed,
    mut writer: StreamWriter<u8>,
    finish: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
) {
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) if data.is_empty() => {}
            Ok(Ok(data)) => {
                if !writer.write_all(data.into()).await.is_empty() {
                    break; // the reader was dropped
                }
            }
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(error) => {
                drop(writer);
                // A dropped reader needs no error.
                let _ = finish.write(Err(error.to_code())).await;
                return;
            }
        }
    }
    // Drops the body before the write of the result, which may wait for the reader.
    drop(body);
    drop(writer);
    let end = trailers.as_ref().map(fields::to_host).transpose().map_err(|error| error.to_code());
    let _ = finish.write(end).await;
}
