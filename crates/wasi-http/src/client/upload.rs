//! The body of a request: counted, checked against its declared length, and timed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

use super::request::strip;
use super::transmission::Transmission;

/// Aborts the request in hyper; the cause is sent to the [`Transmission`].
#[derive(Debug, thiserror::Error)]
#[error("the request's body failed")]
pub(super) struct UploadFailed;

/// When the request last made progress. The timeout for the response starts there, so that a long upload is not cut
/// off.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    last_millis: AtomicU64,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), last_millis: AtomicU64::new(0) })
    }

    pub(super) fn touch(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// Returns when `patience` expires, unless the request makes progress.
    pub(super) fn deadline(&self, patience: Duration) -> Instant {
        self.start + Duration::from_millis(self.last_millis.load(Ordering::Relaxed)) + patience
    }
}

/// A body that hyper sends.
pub(super) struct Upload {
    /// `None` once it has ended.
    body: Option<WasiBody>,
    declared: Option<u64>,
    sent: u64,
    progress: Option<Arc<Progress>>,
    failure: Option<oneshot::Sender<Error>>,
}

impl Upload {
    /// Creates an upload. `declared` is the `Content-Length`, which the body must match.
    pub(super) fn new(body: WasiBody, declared: Option<u64>, progress: Arc<Progress>) -> (Self, Transmission) {
        if body.is_end_stream() && declared.is_none_or(|declared| declared == 0) {
            return (Self::empty(), Transmission::done());
        }
        let (sender, receiver) = oneshot::channel();
        let upload = Self { body: Some(body), declared, sent: 0, progress: Some(progress), failure: Some(sender) };
        (upload, Transmission::upload(receiver))
    }

    pub(super) fn empty() -> Self {
        Self { body: None, declared: None, sent: 0, progress: None, failure: None }
    }

    /// Returns whether there is no body, and never was one.
    pub(super) fn is_absent(&self) -> bool {
        self.body.is_none() && self.sent == 0
    }

    /// Drops the body, which also ends the [`Transmission`].
    fn finish(&mut self) {
        self.body = None;
        self.failure = None;
    }

    fn fail<T>(&mut self, error: Error) -> Poll<Option<Result<T, UploadFailed>>> {
        if let Some(failure) = self.failure.take() {
            // Fails if the response was dropped.
            let _ = failure.send(error);
        }
        self.finish();
        Poll::Ready(Some(Err(UploadFailed)))
    }

    fn mismatch(&self) -> Option<Error> {
        self.declared.filter(|declared| *declared != self.sent).map(|_| Error::HttpRequestBodySize(Some(self.sent)))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(progress) = &self.progress {
            progress.touch();
        }
        match frame {
            Some(Ok(mut frame)) => {
                if let Some(data) = frame.data_ref() {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.sent = self.sent.saturating_add(length);
                    if self.declared.is_some_and(|declared| self.sent > declared) {
                        let sent = self.sent;
                        return self.fail(Error::HttpRequestBodySize(Some(sent)));
                    }
                } else if let Some(trailers) = frame.trailers_mut() {
                    strip(trailers);
                    if let Some(error) = self.mismatch() {
                        return self.fail(error);
                    }
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => self.fail(error),
            None => {
                if let Some(error) = self.mismatch() {
                    return self.fail(error);
                }
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream() && self.mismatch().is_none())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
