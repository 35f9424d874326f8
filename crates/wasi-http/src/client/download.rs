//! The body of a response, read only as fast as the component reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tempo_backend::Reservation;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;

use super::error::response_error;
use crate::host_fed;

/// A response body. Counts as a running request until its end.
pub(super) struct Download {
    body: Incoming,
    timeout: Duration,
    /// Runs only while the component waits: time in which it does not read does not count.
    timer: Option<Pin<Box<Sleep>>>,
    permit: Option<Permit>,
}

/// Permit of a running request, and the bytes that the host holds for it.
type Permit = (OwnedSemaphorePermit, Option<Reservation>);

impl Download {
    pub(super) fn new(body: Incoming, timeout: Duration, permit: Permit) -> Self {
        let permit = (!body.is_end_stream()).then_some(permit);
        Self { body, timeout, timer: None, permit }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        host_fed::count_poll();
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.timer = None;
                if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
                    this.permit = None;
                }
                Poll::Ready(frame.map(|frame| {
                    frame.map_err(|error| {
                        tracing::debug!(?error, "the body of a response broke off");
                        response_error(&error)
                    })
                }))
            }
            Poll::Pending => {
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(this.timeout)));
                ready!(timer.as_mut().poll(cx));
                this.permit = None;
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
