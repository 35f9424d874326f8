//! One request under way: the call into the guest together with the response body it feeds.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as _, Frame};
use tempo_core::{Call, Interrupted, Warm};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};

use super::guest::Answer;
use super::reply::Refusal;
use super::upload::TooLarge;
use super::worker::Worker;

/// What a call into a guest ends with.
pub(crate) type Outcome<T> = Result<wasmtime::Result<Warm<T, Proxy>>, Interrupted>;

/// A response body that broke off. hyper closes the connection or resets the stream, so that the client notices.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokenOff;

/// A call into a guest and, once it has answered, its response body. Whoever polls the exchange drives the guest;
/// dropping it ends the guest.
pub(crate) struct Exchange<T: Send + 'static> {
    worker: Arc<Worker<T>>,
    call: Option<Call<wasmtime::Result<Warm<T, Proxy>>>>,
    /// `None` once it has come, or cannot come any more.
    answer: Option<oneshot::Receiver<Answer>>,
    consumed: Option<oneshot::Sender<()>>,
    body: Option<WasiBody>,
    /// Frames that were taken from the body before it was known that they must be streamed.
    taken: VecDeque<Frame<Bytes>>,
    /// How long the body is that the client was promised, if that was said, and how much of it has gone.
    promised: Option<u64>,
    delivered: u64,
    /// Set when the guest was given a request body that turned out to be too large.
    too_large: Option<TooLarge>,
    failure: Option<Refusal>,
}

impl<T: Send + 'static> Exchange<T> {
    pub(crate) fn new(
        worker: Arc<Worker<T>>,
        call: Call<wasmtime::Result<Warm<T, Proxy>>>,
        answer: oneshot::Receiver<Answer>,
        consumed: oneshot::Sender<()>,
        too_large: Option<TooLarge>,
    ) -> Self {
        Self {
            worker,
            call: Some(call),
            answer: Some(answer),
            consumed: Some(consumed),
            body: None,
            taken: VecDeque::new(),
            promised: None,
            delivered: 0,
            too_large,
            failure: None,
        }
    }

    /// Drives the guest until it has answered, and keeps the body of its answer.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<()>, Refusal>> {
        self.poll_call(cx);
        let mut answered = None;
        if let Some(answer) = &mut self.answer
            && let Poll::Ready(answer) = Pin::new(answer).poll(cx)
        {
            self.answer = None;
            answered = answer.ok();
        }
        let component = self.worker.workload.name();
        Poll::Ready(match (answered, self.failure()) {
            (_, Some(failure)) => Err(failure),
            (Some(Ok(response)), None) => {
                let (head, body) = response.into_parts();
                let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
                self.promised = if bodiless { Some(0) } else { length(&head.headers) };
                self.body = Some(body);
                Ok(Response::from_parts(head, ()))
            }
            (Some(Err(code)), None) => {
                tracing::warn!(component, code, "the component answered with an error code");
                Err(Refusal::Failed)
            }
            // Even if no answer can come any more: only the end of the call tells why.
            (None, None) if self.call.is_some() => return Poll::Pending,
            (None, None) => {
                tracing::warn!(component, "the component ended without a response");
                Err(Refusal::Failed)
            }
        })
    }

    /// Drives the guest and takes the next part of its body.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(frame) = self.taken.pop_front() {
            self.count(&frame);
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        // What the guest has written already is taken before it runs on.
        let mut poll = Pin::new(body).poll_frame(cx);
        if poll.is_pending() {
            self.poll_call(cx);
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            poll = Pin::new(body).poll_frame(cx);
        }
        match poll {
            Poll::Pending if self.failure().is_some() => Poll::Ready(Some(Err(BrokenOff))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                self.count(&frame);
                self.extend_deadline(self.worker.workload.limits().request);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a response body broke off");
                self.failure.get_or_insert(Refusal::Failed);
                Poll::Ready(Some(Err(BrokenOff)))
            }
            Poll::Ready(None) => {
                self.body_ended(cx);
                Poll::Ready(self.failure().map(|_| Err(BrokenOff)))
            }
        }
    }

    /// Why the exchange failed, if it did. A guest that failed over a body that was too large is not to blame, and one
    /// that took the error for the end has answered half a request.
    pub(crate) fn failure(&self) -> Option<Refusal> {
        let too_large = self.too_large.as_ref().is_some_and(TooLarge::is_set);
        if too_large { Some(Refusal::BodyTooLarge) } else { self.failure }
    }

    /// Puts `frames` back, to be sent before what follows.
    pub(crate) fn give_back(&mut self, frames: Vec<Frame<Bytes>>) {
        self.delivered = 0;
        self.taken = frames.into();
    }

    /// Promises the client no body, whatever the guest says.
    pub(crate) fn promise_nothing(&mut self) {
        self.promised = Some(0);
    }

    /// Whether the client has all of the body that was promised. hyper then asks for no more, and leaves the body.
    pub(crate) fn is_delivered(&self) -> bool {
        self.promised.is_some_and(|promised| self.delivered >= promised)
    }

    /// Lets the guest finish what it does after its response, in the background.
    pub(crate) fn finish(mut self) {
        // Without a runtime the thread is at its end, and the guest with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(poll_fn(move |cx| {
                self.body_ended(cx);
                Poll::Ready(())
            }));
        }
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.delivered = self.delivered.saturating_add(size);
    }

    /// Tells the guest that its body has gone, and lets it finish.
    fn body_ended(&mut self, cx: &mut Context<'_>) {
        self.body = None;
        let told = self.consumed.take().is_none_or(|consumed| consumed.send(()).is_ok());
        // A 0.3 call waits to be told, so if it cannot be, it has trapped and its body did not end but break off. A 0.2
        // body says so itself.
        if !told && matches!(self.worker.handler, ProxyPre::P3(_)) {
            self.failure.get_or_insert(Refusal::Failed);
        }
        self.extend_deadline(self.worker.workload.limits().after_response);
        self.poll_call(cx);
        if let Some(call) = self.call.take() {
            let worker = self.worker.clone();
            // The call ends by its deadline, and with the thread's runtime.
            tokio::spawn(async move {
                let outcome = call.await;
                let _ = worker.settle(outcome);
            });
        }
    }

    fn extend_deadline(&mut self, by: std::time::Duration) {
        if let Some(call) = &mut self.call {
            call.set_deadline(Instant::now() + by);
        }
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) {
        if let Some(call) = &mut self.call
            && let Poll::Ready(outcome) = Pin::new(call).poll(cx)
        {
            self.call = None;
            self.failure = self.worker.settle(outcome).err();
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
