//! The request body that the guest reads, with limits on its size and trailers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty};
use wasmtime_wasi_http::{Error, WasiBody};

use super::reply::Refusal;
use crate::host_fed;

/// Shared record of how reading a request body failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct UploadFailure(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The body exceeds its limit.
    body: AtomicBool,
    /// The trailers exceed their limit.
    trailers: AtomicBool,
    /// The client did not send all of it.
    incomplete: AtomicBool,
}

impl UploadFailure {
    /// Returns whether the client did not send the whole body.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.0.incomplete.load(Relaxed)
    }

    /// Returns the response to the request, unless one was sent.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if self.0.body.load(Relaxed) {
            return Some(Refusal::BodyTooLarge);
        }
        self.0.trailers.load(Relaxed).then_some(Refusal::TooManyHeaders)
    }
}

/// Wraps `body` for the guest; reading it fails beyond `limit` bytes or `max_trailers` trailers. Returns `None` if its
/// announced length exceeds the limit.
pub(crate) fn limited<B>(body: B, limit: u64, max_trailers: usize) -> Option<(WasiBody, Option<UploadFailure>)>
where
    B: Body<Data = Bytes, Error: Into<Error>> + Unpin + Send + 'static,
{
    if body.is_end_stream() {
        let empty = Empty::new().map_err(|never| match never {});
        return Some((empty.boxed_unsync(), None));
    }
    if body.size_hint().lower() > limit {
        return None;
    }
    let failure = UploadFailure::default();
    let limited = LimitedBody { body, limit, left: limit, max_trailers, failure: failure.clone() };
    Some((limited.boxed_unsync(), Some(failure)))
}

struct LimitedBody<B> {
    body: B,
    limit: u64,
    left: u64,
    max_trailers: usize,
    failure: UploadFailure,
}

impl<B: Body<Data = Bytes, Error: Into<Error>> + Unpin> Body for LimitedBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        host_fed::count_poll();
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) if frame.trailers_ref().is_some_and(|trailers| trailers.len() > self.max_trailers) => {
                self.failure.0.trailers.store(true, Relaxed);
                Some(Err(Error::HttpRequestTrailerSectionSize(None)))
            }
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        Some(Ok(frame))
                    }
                    None => {
                        self.failure.0.body.store(true, Relaxed);
                        Some(Err(Error::HttpRequestBodySize(Some(self.limit))))
                    }
                }
            }
            Some(Err(error)) => {
                self.failure.0.incomplete.store(true, Relaxed);
                Some(Err(error.into()))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
