//! What became of a request's body.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::Body as _;
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};

/// Resolves when the body of a request was sent, or when it could not be sent as announced.
///
/// A server may answer and stop reading before the end of the body. That is no error: the response counts.
#[must_use = "a body that fails after the response has begun is only reported here"]
pub struct Transmission(State);

enum State {
    Done,
    /// hyper sends the body; an error that arises in it comes through here.
    Upload(oneshot::Receiver<Error>),
    /// The request is sent without a body, and this one must turn out to be empty.
    Silent {
        body: WasiBody,
        otherwise: Option<Error>,
    },
}

impl Transmission {
    pub(super) fn done() -> Self {
        Self(State::Done)
    }

    pub(super) fn upload(failure: oneshot::Receiver<Error>) -> Self {
        Self(State::Upload(failure))
    }

    pub(super) fn silent(body: WasiBody, otherwise: Error) -> Self {
        Self(State::Silent { body, otherwise: Some(otherwise) })
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
                // The sender is dropped with the body, whether it was sent or no longer wanted.
                Err(_) => Ok(()),
            },
            State::Silent { body, otherwise } => ready!(poll_silence(body, otherwise, cx)),
        };
        self.0 = State::Done;
        Poll::Ready(end)
    }
}

fn poll_silence(body: &mut WasiBody, otherwise: &mut Option<Error>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => return Poll::Ready(Ok(())),
            Some(Err(error)) => return Poll::Ready(Err(error)),
            Some(Ok(frame)) => {
                if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                    return Poll::Ready(otherwise.take().map_or(Ok(()), Err));
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
