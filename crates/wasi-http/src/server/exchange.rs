//! `Exchange`: a call of a guest together with the response body that it produces.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::response::Parts;
use http_body::{Body as _, Frame};
use tempo_core::{CallError, ExportCall, Instances, Interrupted};
use tempo_telemetry::{CallContext, within};
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use wasmtime_wasi_http::WasiBody;

use super::bodiless::{content_length, has_valid_length, is_bodiless};
use super::body_fault::{BodyFault, BrokenOff};
use super::guest::{Answer, ExchangeEnd, Handler};
use super::quiescence::Quiescence;
use super::reply::{Refusal, refuse};
use super::upload::UploadFailure;
use crate::host_fed;

/// A call of a guest and, once the guest has answered, its response body. Polling the exchange drives the guest;
/// dropping it ends the guest.
pub(crate) struct Exchange {
    instances: Arc<Instances<Handler>>,
    call: Option<ExportCall<Handler>>,
    /// The context of the call, to which log lines about it belong.
    context: Option<Arc<CallContext>>,
    /// Tracks whether the event loop of a 0.3 call has work left.
    quiescence: Arc<Quiescence>,
    /// `None` once the answer was received or the guest dropped its sender.
    answer: Option<oneshot::Receiver<Answer>>,
    /// The head of the answer, or its error code, until `poll_answer` returns it.
    head: Option<Result<Parts, String>>,
    consumed: Option<oneshot::Sender<()>>,
    body: Option<WasiBody>,
    /// Frames that precede the rest of `body`.
    buffered: VecDeque<Frame<Bytes>>,
    /// A fault found before the end of the body was polled.
    fault: Option<BodyFault>,
    to_head: bool,
    /// True if the client gets no body, whatever the guest writes.
    bodiless: bool,
    /// The announced length of the body, if any, and how much of it was delivered, in bytes.
    expected_length: Option<u64>,
    delivered: u64,
    /// Set if the request has a body.
    upload_failure: Option<UploadFailure>,
    failure: Option<Refusal>,
}

impl Exchange {
    /// `to_head` is true if the request's method is HEAD.
    pub(crate) fn new(
        instances: Arc<Instances<Handler>>,
        call: ExportCall<Handler>,
        context: Option<Arc<CallContext>>,
        exchange_end: ExchangeEnd,
        to_head: bool,
        upload_failure: Option<UploadFailure>,
    ) -> Self {
        Self {
            instances,
            call: Some(call),
            context,
            quiescence: exchange_end.quiescence,
            answer: Some(exchange_end.answer),
            head: None,
            consumed: Some(exchange_end.consumed),
            body: None,
            buffered: VecDeque::new(),
            fault: None,
            to_head,
            bodiless: false,
            expected_length: None,
            delivered: 0,
            upload_failure,
            failure: None,
        }
    }

    /// Drives the guest until it answers, and stores the body of its answer.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<()>, Refusal>> {
        self.poll_call(cx);
        if let Some(answer) = &mut self.answer
            && let Poll::Ready(answer) = Pin::new(answer).poll(cx)
        {
            self.store_answer(answer.ok());
        }
        Poll::Ready(match (self.head.take(), self.failure()) {
            // A bodiless response is complete with its head: a later failure of the guest does not affect it.
            (Some(Ok(head)), Some(Refusal::Failed)) if is_bodiless(self.to_head, head.status) => {
                self.begin_response(head)
            }
            (_, Some(failure)) => Err(failure),
            (Some(Ok(head)), None) => self.begin_response(head),
            (Some(Err(code)), None) => {
                self.log_failure(format_args!("the component answered with the error code {code}"));
                Err(Refusal::Failed)
            }
            // Waits even if no answer can come any more: the end of the call has the cause.
            (None, None) if self.call.is_some() => {
                ready!(self.poll_deadline(cx));
                Err(Refusal::TimedOut)
            }
            (None, None) => {
                self.log(|component| tracing::warn!(component, "the component ended without a response"));
                Err(Refusal::Failed)
            }
        })
    }

    fn store_answer(&mut self, answer: Option<Answer>) {
        self.answer = None;
        self.head = answer.map(|answer| {
            let (head, body) = answer?.into_parts();
            self.body = Some(body);
            Ok(head)
        });
    }

    fn begin_response(&mut self, head: Parts) -> Result<Response<()>, Refusal> {
        if head.status.is_informational() {
            let status = head.status.as_u16();
            self.log(|component| {
                tracing::warn!(component, status, "the component answered with a status that is no final response");
            });
            return Err(Refusal::Failed);
        }
        if !has_valid_length(&head.headers) {
            self.log(|component| {
                tracing::warn!(component, "the component answered with a content-length that is no number");
            });
            return Err(Refusal::Failed);
        }
        self.bodiless = is_bodiless(self.to_head, head.status);
        self.expected_length = if self.bodiless { Some(0) } else { content_length(&head.headers) };
        Ok(Response::from_parts(head, ()))
    }

    /// The response streams from now on. If `exchanges`, waits for a permit of such a call, unless the guest has returned. A
    /// call that another call waits for keeps its permit: it must not wait for permits that this other call may hold.
    ///
    /// # Errors
    ///
    /// No permit was released in time.
    pub(crate) async fn begin_stream(&mut self, exchanges: bool) -> Result<(), Refusal> {
        let Some(call) = &mut self.call else { return Ok(()) };
        let workload = self.instances.workload();
        let permit = if exchanges {
            let permit = workload.admission().enter_stream().await.map_err(CallError::from);
            Some(permit.map_err(|error| refuse(&self.instances, self.context.as_ref(), &error))?)
        } else {
            None
        };
        call.begin_stream(permit);
        call.set_timeout(workload.limits().stream_idle, Interrupted::StreamIdle);
        Ok(())
    }

    /// Drives the guest and polls the next frame of its body.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // Reads frames that the guest has already written before driving it further.
        let mut poll = self.poll_body(cx);
        if poll.is_pending() {
            self.poll_call(cx);
            poll = self.poll_body(cx);
        }
        if poll.is_pending() {
            poll = self.poll_unfinished(cx);
        }
        match poll {
            Poll::Pending if self.failure().is_some() => Poll::Ready(Some(Err(BrokenOff))),
            Poll::Pending => self.poll_deadline(cx).map(|()| Some(Err(BrokenOff))),
            Poll::Ready(Some(Ok(frame))) => {
                self.delivered = self.delivered.saturating_add(size(&frame));
                if self.wrong_length().is_some_and(|fault| fault.is_excess()) {
                    return self.break_off(cx, None);
                }
                self.set_timeout(self.instances.workload().limits().stream_idle, Interrupted::StreamIdle);
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
        if let Some(frame) = self.buffered.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(self.fault.take().map(Err)) };
        Pin::new(body).poll_frame(cx).map_err(BodyFault::Failed)
    }

    /// Fails a body that cannot make progress: the store of a 0.3 guest has no work left, and the body is not host-fed.
    fn poll_unfinished(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if self.quiescence.has_exited() {
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

    /// Polls outside tokio's cooperative budget: with the budget used up, the channels of a body would be pending too.
    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        pin!(unconstrained(poll_fn(|cx| self.poll_body(cx)))).poll(cx)
    }

    /// Buffers the remaining frames of a 0.2 guest that has returned. Once its store is dropped, an unfinished body
    /// looks finished; if the store is kept, it looks as if the guest still writes. A host-fed body goes on without the guest:
    /// middleware answers with that of the next component.
    fn buffer_rest(&mut self, cx: &mut Context<'_>) {
        if let Some(answer) = &mut self.answer {
            let answer = answer.try_recv().ok();
            self.store_answer(answer);
        }
        let mut rest = VecDeque::new();
        let (fault, goes_on) = loop {
            let before = host_fed::polls();
            let frame = self.poll_unconstrained(cx);
            let host_fed = host_fed::polls() != before;
            match frame {
                Poll::Ready(Some(Ok(frame))) => {
                    rest.push_back(frame);
                    if host_fed {
                        break (None, true);
                    }
                }
                Poll::Ready(Some(Err(fault))) => break (Some(fault), false),
                Poll::Ready(None) => break (None, false),
                Poll::Pending if host_fed => break (None, true),
                Poll::Pending => break (Some(BodyFault::Unfinished), false),
            }
        };
        (self.buffered, self.fault) = (rest, fault);
        self.body = self.body.take().filter(|_| goes_on);
    }

    fn wrong_length(&self) -> Option<BodyFault> {
        let (announced, delivered) = (self.expected_length?, self.delivered);
        (!self.bodiless && announced != delivered).then_some(BodyFault::WrongLength { announced, delivered })
    }

    /// Fails the body and logs the cause: `fault`, or by default the wrong length.
    fn break_off<R>(&mut self, cx: &mut Context<'_>, fault: Option<BodyFault>) -> Poll<Option<Result<R, BrokenOff>>> {
        if self.bodiless {
            self.body_ended(cx);
            return Poll::Ready(None);
        }
        if self.failure().is_none() {
            self.failure = Some(Refusal::Failed);
            let wrong_length = self.wrong_length();
            let fault = match fault {
                Some(fault) => Some(fault.with_length_context(wrong_length)),
                None => wrong_length,
            };
            if let Some(fault) = fault {
                self.log_failure(format_args!("the body of a response broke off: {fault}"));
            }
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }

    /// Returns why the exchange failed. A request body that is too large takes precedence: the guest may have failed
    /// over it, or taken the error for the end of the body.
    pub(crate) fn failure(&self) -> Option<Refusal> {
        self.upload_failure.as_ref().and_then(UploadFailure::refusal).or(self.failure)
    }

    /// True if the client gets no body, whatever the guest writes.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.bodiless
    }

    /// Puts `frames` back in front of the remaining ones.
    pub(crate) fn unread(&mut self, frames: Vec<Frame<Bytes>>) {
        self.delivered = 0;
        for frame in frames.into_iter().rev() {
            self.buffered.push_front(frame);
        }
    }

    /// Returns whether the announced length has been delivered. hyper then drops the body without polling its end.
    pub(crate) fn is_delivered(&self) -> bool {
        self.expected_length.is_some_and(|expected_length| self.delivered >= expected_length)
    }

    /// Lets the guest complete its work after the response, in the background.
    pub(crate) fn finish(mut self) {
        // Without a runtime, the thread is ending, and the guest with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(poll_fn(move |cx| {
                self.body_ended(cx);
                Poll::Ready(())
            }));
        }
    }

    /// Signals the guest that its body was read, and lets it complete.
    fn body_ended(&mut self, cx: &mut Context<'_>) {
        self.body = None;
        let signalled = self.consumed.take().is_none_or(|consumed| consumed.send(()).is_ok());
        // A 0.3 call waits for this signal: if its receiver is gone, the call has trapped and the body is incomplete. A
        // 0.2 body reports this itself.
        if !signalled && self.is_p3() {
            self.failure.get_or_insert(Refusal::Failed);
        }
        self.set_timeout(self.instances.workload().limits().after_response, Interrupted::AfterResponse);
        self.poll_call(cx);
        if let Some(call) = self.call.take() {
            let (instances, context) = (self.instances.clone(), self.context.take());
            // The call ends by its deadline, or with the thread's runtime.
            tokio::spawn(async move {
                if let Err(error) = instances.settle(call.await) {
                    refuse(&instances, context.as_ref(), &error);
                }
            });
        }
    }

    fn is_p3(&self) -> bool {
        self.instances.export().is_p3()
    }

    /// Logs a failure of the component. It is none if the client did not send the whole request: clients could fill the log.
    fn log_failure(&self, failure: fmt::Arguments<'_>) {
        if self.upload_failure.as_ref().is_some_and(UploadFailure::is_incomplete) {
            let component = self.instances.workload().name();
            return within(self.context.as_ref(), || {
                tracing::debug!(component, "the client did not send the whole request, and {failure}");
            });
        }
        self.log(|component| tracing::warn!(component, "{failure}"));
    }

    /// Runs `log` with the component's name, in the context of the call, unless there were too many lines.
    fn log(&self, log: impl FnOnce(&str)) {
        let workload = self.instances.workload();
        if workload.admit_failure_line() {
            within(self.context.as_ref(), || log(workload.name()));
        }
    }

    fn set_timeout(&mut self, timeout: Duration, limit: Interrupted) {
        if let Some(call) = &mut self.call {
            call.set_timeout(timeout, limit);
        }
    }

    /// Drives the call. A caller that has to wait for it polls its [deadline](Self::poll_deadline), which creates a
    /// timer.
    fn poll_call(&mut self, cx: &mut Context<'_>) {
        if let Some(call) = &mut self.call
            && let Poll::Ready(outcome) = call.poll_work(cx)
        {
            self.call = None;
            if !self.is_p3() && matches!(outcome, Ok(Ok(_))) {
                self.buffer_rest(cx);
            }
            self.settle(outcome);
        }
    }

    /// Ends the call at its deadline.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let interrupted = ready!(call.poll_deadline(cx));
        self.call = None;
        self.settle(Err(interrupted));
        Poll::Ready(())
    }

    fn settle(&mut self, ended: <ExportCall<Handler> as Future>::Output) {
        let settled = self.instances.settle(ended);
        self.failure = settled.err().map(|error| refuse(&self.instances, self.context.as_ref(), &error));
    }
}

fn size(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}
