//! `Transmission`: the outcome of sending a request's body.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Body as _;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};

/// Resolves when the body of a request was sent, or with the error that prevented it.
///
/// A server may answer without reading the whole body. That is no error.
#[must_use = "a body that fails after the response has begun is only reported here"]
pub struct Transmission(State);

impl fmt::Debug for Transmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmission").finish_non_exhaustive()
    }
}

enum State {
    Done,
    /// hyper sends the body; receives its error.
    Upload(oneshot::Receiver<Error>),
    /// The request was sent without a body, so this one must be empty.
    ExpectEmpty {
        body: WasiBody,
        error: Option<Error>,
    },
}

impl Transmission {
    pub(super) fn done() -> Self {
        Self(State::Done)
    }

    pub(super) fn upload(failure: oneshot::Receiver<Error>) -> Self {
        Self(State::Upload(failure))
    }

    pub(super) fn expect_empty(body: WasiBody, error: Error) -> Self {
        Self(State::ExpectEmpty { body, error: Some(error) })
    }

    /// Resolves only when the body fails.
    pub(super) async fn failure(&mut self) -> Error {
        poll_fn(|cx| match self.poll_end(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let end = match &mut self.0 {
            State::Done => Ok(()),
            State::Upload(failure) => match ready!(Pin::new(failure).poll(cx)) {
                Ok(error) => Err(error),
                // The sender is dropped with the body, whether it was sent or cancelled.
                Err(_) => Ok(()),
            },
            State::ExpectEmpty { body, error } => ready!(poll_empty(body, error, cx)),
        };
        self.0 = State::Done;
        Poll::Ready(end)
    }
}

fn poll_empty(body: &mut WasiBody, error: &mut Option<Error>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => return Poll::Ready(Ok(())),
            Some(Err(error)) => return Poll::Ready(Err(error)),
            Some(Ok(frame)) => {
                if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                    return Poll::Ready(error.take().map_or(Ok(()), Err));
                }
            }
        }
    }
}

impl Future for Transmission {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_end(cx)
    }
}
