//! One request under way: the call into the guest together with the response body it feeds.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, header};
use http_body::{Body as _, Frame};
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::{Error, WasiBody};
use tempo_core::{Call, Interrupted, WarmInstance};

use super::bodiless::is_bodiless;
use super::guest::Answer;
use super::quiescence::Quiescence;
use super::reply::Refusal;
use super::upload::TooLarge;
use super::worker::Worker;
use crate::host_fed;

/// What a call into a guest ends with.
pub(crate) type Outcome = Result<wasmtime::Result<WarmInstance<Proxy>>, Interrupted>;

/// A response body that broke off. hyper closes the connection or resets the stream, so that the client notices.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokenOff;

/// Why the body of a response is not what its head announced.
#[derive(Debug, thiserror::Error)]
enum BodyFault {
    #[error("it failed: {0}")]
    Failed(Error),
    #[error("the component returned without finishing it")]
    Unfinished,
    #[error("it has {delivered} bytes and content-length says {announced}")]
    WrongLength { announced: u64, delivered: u64 },
}

impl BodyFault {
    /// What wasmtime reports of a wrong length, in 0.2 without saying so, in the words of the server.
    fn explained(self, wrong_length: Option<Self>) -> Self {
        match (self, wrong_length) {
            (Self::Failed(Error::HttpResponseBodySize(Some(sent))), Some(Self::WrongLength { announced, .. })) => {
                Self::WrongLength { announced, delivered: sent }
            }
            (Self::Failed(Error::HttpProtocolError), Some(wrong_length)) => wrong_length,
            (fault, _) => fault,
        }
    }

    fn is_excess(&self) -> bool {
        matches!(self, Self::WrongLength { announced, delivered } if delivered > announced)
    }
}

/// A call into a guest and, once it has answered, its response body. Whoever polls the exchange drives the guest;
/// dropping it ends the guest.
pub(crate) struct Exchange {
    worker: Arc<Worker>,
    call: Option<Call<wasmtime::Result<WarmInstance<Proxy>>>>,
    /// Of a 0.3 call: whether its event loop can still do anything.
    quiescence: Arc<Quiescence>,
    /// `None` once it has come, or cannot come any more.
    answer: Option<oneshot::Receiver<Answer>>,
    /// The head of the answer, or its error code, until it is asked for.
    answered: Option<Result<Parts, String>>,
    consumed: Option<oneshot::Sender<()>>,
    body: Option<WasiBody>,
    /// What comes before the rest of `body`.
    taken: VecDeque<Frame<Bytes>>,
    /// Why the body did not end well, if that was found before it was asked for its end.
    fault: Option<BodyFault>,
    to_head: bool,
    /// The client gets no body, whatever the guest writes.
    bodiless: bool,
    /// How long the body is that the client was promised, if that was said, and how much of it has gone.
    promised: Option<u64>,
    delivered: u64,
    /// Set when the guest was given a request body that turned out to be too large.
    too_large: Option<TooLarge>,
    failure: Option<Refusal>,
}

/// What an exchange has of its call.
pub(crate) struct Near {
    answer: oneshot::Receiver<Answer>,
    consumed: oneshot::Sender<()>,
    quiescence: Arc<Quiescence>,
}

/// What a call has of its exchange.
pub(crate) struct Far {
    pub(crate) answer: oneshot::Sender<Answer>,
    /// Resolves when the response's body has been read to its end.
    pub(crate) consumed: oneshot::Receiver<()>,
    pub(crate) quiescence: Arc<Quiescence>,
}

/// The channels between an exchange and its call.
pub(crate) fn ends() -> (Near, Far) {
    let (answer_sender, answer) = oneshot::channel();
    let (consumed_sender, consumed) = oneshot::channel();
    let quiescence = Arc::new(Quiescence::default());
    let near = Near { answer, consumed: consumed_sender, quiescence: quiescence.clone() };
    (near, Far { answer: answer_sender, consumed, quiescence })
}

impl Exchange {
    /// `to_head`: the request's method is HEAD.
    pub(crate) fn new(
        worker: Arc<Worker>,
        call: Call<wasmtime::Result<WarmInstance<Proxy>>>,
        near: Near,
        to_head: bool,
        too_large: Option<TooLarge>,
    ) -> Self {
        Self {
            worker,
            call: Some(call),
            quiescence: near.quiescence,
            answer: Some(near.answer),
            answered: None,
            consumed: Some(near.consumed),
            body: None,
            taken: VecDeque::new(),
            fault: None,
            to_head,
            bodiless: false,
            promised: None,
            delivered: 0,
            too_large,
            failure: None,
        }
    }

    /// Drives the guest until it has answered, and keeps the body of its answer.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<()>, Refusal>> {
        self.poll_call(cx);
        if let Some(answer) = &mut self.answer
            && let Poll::Ready(answer) = Pin::new(answer).poll(cx)
        {
            self.keep(answer.ok());
        }
        let component = self.worker.workload.name();
        Poll::Ready(match (self.answered.take(), self.failure()) {
            // Such a response is whole with its head: what the guest does afterwards cannot spoil it.
            (Some(Ok(head)), Some(Refusal::Failed)) if is_bodiless(self.to_head, head.status) => self.begin(head),
            (_, Some(failure)) => Err(failure),
            (Some(Ok(head)), None) => self.begin(head),
            (Some(Err(code)), None) => {
                tracing::warn!(component, code, "the component answered with an error code");
                Err(Refusal::Failed)
            }
            // Even if no answer can come any more: only the end of the call tells why.
            (None, None) if self.call.is_some() => {
                ready!(self.poll_deadline(cx));
                Err(Refusal::TimedOut)
            }
            (None, None) => {
                tracing::warn!(component, "the component ended without a response");
                Err(Refusal::Failed)
            }
        })
    }

    fn keep(&mut self, answer: Option<Answer>) {
        self.answer = None;
        self.answered = answer.map(|answer| {
            let (head, body) = answer?.into_parts();
            self.body = Some(body);
            Ok(head)
        });
    }

    fn begin(&mut self, head: Parts) -> Result<Response<()>, Refusal> {
        if head.status.is_informational() {
            let (component, status) = (self.worker.workload.name(), head.status.as_u16());
            tracing::warn!(component, status, "the component answered with a status that is no final response");
            return Err(Refusal::Failed);
        }
        self.bodiless = is_bodiless(self.to_head, head.status);
        self.promised = if self.bodiless { Some(0) } else { content_length(&head.headers) };
        Ok(Response::from_parts(head, ()))
    }

    /// Drives the guest and takes the next part of its body.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // What the guest has written already is taken before it runs on.
        let mut poll = self.poll_body(cx);
        if poll.is_pending() {
            self.poll_call(cx);
            poll = self.poll_body(cx);
        }
        if poll.is_pending() {
            poll = self.poll_abandoned(cx);
        }
        match poll {
            Poll::Pending if self.failure().is_some() => Poll::Ready(Some(Err(BrokenOff))),
            Poll::Pending => self.poll_deadline(cx).map(|()| Some(Err(BrokenOff))),
            Poll::Ready(Some(Ok(frame))) => {
                self.delivered = self.delivered.saturating_add(size(&frame));
                if self.wrong_length().is_some_and(|fault| fault.is_excess()) {
                    return self.break_off(cx, None);
                }
                self.extend_deadline(self.worker.workload.limits().request);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(fault))) => self.break_off(cx, Some(fault)),
            Poll::Ready(None) if self.wrong_length().is_some() => self.break_off(cx, None),
            Poll::Ready(None) => {
                self.body_ended(cx);
                Poll::Ready(self.failure().map(|_| Err(BrokenOff)))
            }
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some(frame) = self.taken.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(self.fault.take().map(Err)) };
        Pin::new(body).poll_frame(cx).map_err(BodyFault::Failed)
    }

    /// Errs for a body that waits for what cannot come: nothing is left to do in the store of a 0.3 guest, and the body is
    /// not one that the host feeds from another connection.
    fn poll_abandoned(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.quiescence.is_near() {
            self.poll_call(cx);
        }
        if self.quiescence.poll_reached(cx).is_pending() {
            return Poll::Pending;
        }
        let before = host_fed::polls();
        match self.poll_unconstrained(cx) {
            Poll::Pending if host_fed::polls() == before => Poll::Ready(Some(Err(BodyFault::Unfinished))),
            poll => poll,
        }
    }

    /// The channels of a body are pending, too, when the task has used up its budget.
    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        pin!(unconstrained(poll_fn(|cx| self.poll_body(cx)))).poll(cx)
    }

    /// Takes what a 0.2 guest that has returned wrote last. Once its store is gone, a body that it did not finish looks
    /// like one that it did; and if it is kept, like one that it still writes.
    fn take_rest(&mut self, cx: &mut Context<'_>) {
        if let Some(answer) = &mut self.answer {
            let answer = answer.try_recv().ok();
            self.keep(answer);
        }
        let mut rest = VecDeque::new();
        self.fault = loop {
            match self.poll_unconstrained(cx) {
                Poll::Ready(Some(Ok(frame))) => rest.push_back(frame),
                Poll::Ready(Some(Err(fault))) => break Some(fault),
                Poll::Ready(None) => break None,
                Poll::Pending => break Some(BodyFault::Unfinished),
            }
        };
        self.taken = rest;
        self.body = None;
    }

    fn wrong_length(&self) -> Option<BodyFault> {
        let (announced, delivered) = (self.promised?, self.delivered);
        (!self.bodiless && announced != delivered).then_some(BodyFault::WrongLength { announced, delivered })
    }

    /// Ends a body that is not what its head announced, and says why: by default because of its length.
    fn break_off<R>(&mut self, cx: &mut Context<'_>, fault: Option<BodyFault>) -> Poll<Option<Result<R, BrokenOff>>> {
        if self.bodiless {
            self.body_ended(cx);
            return Poll::Ready(None);
        }
        if self.failure().is_none() {
            self.failure = Some(Refusal::Failed);
            let component = self.worker.workload.name();
            let wrong_length = self.wrong_length();
            let fault = match fault {
                Some(fault) => Some(fault.explained(wrong_length)),
                None => wrong_length,
            };
            if let Some(fault) = fault {
                tracing::warn!(component, "the body of a response broke off: {fault}");
            }
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }

    /// Why the exchange failed, if it did. A guest that failed over a body that was too large is not to blame, and one
    /// that took the error for the end has answered half a request.
    pub(crate) fn failure(&self) -> Option<Refusal> {
        self.too_large.as_ref().and_then(TooLarge::refusal).or(self.failure)
    }

    /// Whether the client gets no body, whatever the guest writes.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.bodiless
    }

    /// Puts `frames` back, to be sent before what follows.
    pub(crate) fn give_back(&mut self, frames: Vec<Frame<Bytes>>) {
        self.delivered = 0;
        for frame in frames.into_iter().rev() {
            self.taken.push_front(frame);
        }
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

    /// Tells the guest that its body has gone, and lets it finish.
    fn body_ended(&mut self, cx: &mut Context<'_>) {
        self.body = None;
        let told = self.consumed.take().is_none_or(|consumed| consumed.send(()).is_ok());
        // A 0.3 call waits to be told, so if it cannot be, it has trapped and its body did not end but break off. A 0.2
        // body says so itself.
        if !told && self.is_p3() {
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

    fn is_p3(&self) -> bool {
        matches!(self.worker.handler, ProxyPre::P3(_))
    }

    fn extend_deadline(&mut self, by: std::time::Duration) {
        if let Some(call) = &mut self.call {
            call.set_deadline(Instant::now() + by);
        }
    }

    /// Drives the call. Who has to wait for it then asks for its [deadline](Self::poll_deadline), which takes a timer.
    fn poll_call(&mut self, cx: &mut Context<'_>) {
        if let Some(call) = &mut self.call
            && let Poll::Ready(outcome) = call.poll_work(cx)
        {
            self.call = None;
            if !self.is_p3() && matches!(outcome, Ok(Ok(_))) {
                self.take_rest(cx);
            }
            self.failure = self.worker.settle(outcome).err();
        }
    }

    /// Ends the call at its deadline.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let interrupted = ready!(call.poll_deadline(cx));
        self.call = None;
        self.failure = self.worker.settle(Err(interrupted)).err();
        Poll::Ready(())
    }
}

fn size(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
